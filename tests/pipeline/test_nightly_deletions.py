"""What a source deleted counts no more: its touchpoints go, and nights agree with one run."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from built_company import copy_home, parquet_hashes
from support_user import land_person

from orchestration import warehouse
from orchestration.ingest.landing import land_file
from orchestration.pipeline.night import run_nights
from orchestration.settings import Settings

FIRST = datetime(2025, 7, 2, 2, tzinfo=UTC)
SECOND = datetime(2025, 7, 3, 2, tzinfo=UTC)


def ticket(number: int, status: str, updated_at: str) -> dict[str, object]:
    return {
        "id": number,
        "requester_id": 100,
        "status": status,
        "via": {"channel": "email"},
        "created_at": "2025-07-01T08:00:00Z",
        "updated_at": updated_at,
    }


def land(
    settings: Settings, folder: Path, entity: str, rows: list[dict[str, object]], at: datetime
) -> None:
    path = folder / f"{entity}.ndjson"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    land_file(settings, "zendesk", entity, path, at)


def rows(settings: Settings, query: str) -> list[tuple]:
    path = settings.current.resolve() / "journeyline.duckdb"
    connection = warehouse.connect(path, read_only=True)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


@pytest.mark.slow
def test_a_deleted_ticket_takes_its_touchpoints_and_steps_with_it(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    land_person(settings, tmp_path, "100", FIRST)
    # A second person's comment is theirs, and goes with the ticket all the same.
    land_person(settings, tmp_path, "200", FIRST)
    opened = "2025-07-01T08:00:00Z"
    land(settings, tmp_path, "tickets", [ticket(n, "open", opened) for n in (1, 2)], FIRST)
    comment = {"public": True, "author_id": 200, "created_at": "2025-07-01T09:00:00Z"}
    said = [{"id": n, "ticket_id": n, "body": "x", **comment} for n in (1, 2)]
    said += [{**said[0], "id": 3, "public": False}]
    land(settings, tmp_path, "comments", said, FIRST)
    run_nights(settings)
    kinds = "select ticket_id, touchpoint_type from fct_touchpoints order by all"
    both = [(n, kind) for n in ("1", "2") for kind in ("ticket_commented", "ticket_opened")]
    assert rows(settings, kinds) == both
    assert rows(settings, "select count(*) from fct_service_steps") == [(1,)]

    land(settings, tmp_path, "tickets", [ticket(1, "deleted", "2025-07-02T08:00:00Z")], SECOND)
    report = run_nights(settings)
    assert report.load is not None and report.load.quarantined == 0
    assert rows(settings, kinds) == both[2:]
    assert rows(settings, "select count(*) from fct_service_steps") == [(0,)]
    counted = "select touchpoint_type, reason from fct_unattributed_touchpoints order by all"
    assert rows(settings, counted) == [
        ("ticket_commented", "deleted"),
        ("ticket_opened", "deleted"),
    ]

    at_once = copy_home(settings, tmp_path / "at_once", ("landing", "keys"))
    run_nights(at_once)
    assert parquet_hashes(at_once) == parquet_hashes(settings)
