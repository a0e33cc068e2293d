"""Rows that are too old leave everything that is computed; ids and what was published stay."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from contextlib import closing
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from built_company import ledger_hashes, parquet_hashes
from landing_rows import support_user

from orchestration import warehouse
from orchestration.ingest.landing import land_file, list_deliveries
from orchestration.pipeline.night import RunReport, run_nights
from orchestration.publish.comparing import compare_releases
from orchestration.publish.publisher import SAME_CONTENT
from orchestration.publish.releases import show_release, verify_release
from orchestration.settings import Settings

BALANCE = (
    "select bool_and(landed_count = accepted_count + quarantined_count + duplicate_count "
    "+ erased_count), sum(erased_count), sum(aged_count), "
    "count_if(reason = 'retention') from {}"
)


def ask(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(warehouse.connect(path, read_only=True)) as connection:
        return connection.execute(query).fetchall()


def served(settings: Settings, query: str) -> list[tuple[object, ...]]:
    return ask(settings.current.resolve() / "journeyline.duckdb", query)


def keep(settings: Settings, days: dict[str, int]) -> None:
    path = settings.config / "privacy.yml"
    text = path.read_text().split("\nretention:")[0]
    path.write_text(f"{text}\nretention: {json.dumps({'days': days})}\n")


def publication(report: RunReport) -> tuple[bool, str]:
    assert report.publication is not None
    return report.publication.published, report.publication.reason


@pytest.mark.slow
def test_retention_takes_old_rows_from_all_but_the_ids_and_the_aggregates_that_are_out(
    built_home: Settings, project_copy: Callable[[Settings], Settings], tmp_path: Path
) -> None:
    settings = project_copy(built_home)
    copies = {d.label: d.file.read_bytes() for d in list_deliveries(settings)}
    before = settings.current.resolve()
    old_kpis = ask(before / "journeyline.duckdb", "select * from fct_kpi_values order by all")
    ids = dict(served(settings, "select record_id, customer_id from bridge_customer_records"))
    (stands_at,) = served(settings, "select as_of from _release")[0]
    assert isinstance(stands_at, datetime)

    keep(settings, {"segment": 200, "surveys/responses": 100})
    assert publication(run_nights(settings)) == (True, "")
    horizons = {"segment": stands_at - timedelta(200), "surveys": stands_at - timedelta(100)}
    for horizon in horizons.values():
        assert horizon > min(served(settings, "select min(occurred_at) from fct_touchpoints")[0])
    left = (
        "select count(*) from (select source, occurred_at from fct_touchpoints union all "
        "select source, occurred_at from fct_unattributed_touchpoints) "
        "where source = 'segment' and occurred_at < timestamp '{}' "
        "or source = 'surveys' and occurred_at < timestamp '{}'"
    )
    assert served(settings, left.format(*horizons.values())) == [(0,)]
    emptied = (
        "select count(*) from fct_sessions anti join fct_touchpoints using (session_id) "
        f"where ended_at < timestamp '{horizons['segment']}'"
    )
    aged = served(settings, BALANCE.format("_inputs"))
    assert aged == ask(settings.warehouse, BALANCE.format("ingest.deliveries"))
    assert aged[0][0] is True and aged[0][1] == aged[0][2] > 0

    # Ids stay: a record keeps its id, or gets a new one where what linked it to others is gone.
    now = dict(served(settings, "select record_id, customer_id from bridge_customer_records"))
    moved = {record: new for record, new in now.items() if new != ids[record]}
    assert set(now) < set(ids)
    assert len(moved) < len(now) / 100
    assert not set(moved.values()) & set(ids.values())
    assert set(ids.values()) <= {
        customer for (customer,) in served(settings, "select customer_id from fct_identity_history")
    }

    # What was published keeps its aggregates; the new release leaves out what is not whole.
    kept = [p for p in settings.releases.glob("2*") if p != settings.current.resolve()]
    assert len(kept) == 1 and not before.exists()
    verify_release(settings, kept[0].name)
    assert show_release(settings, kept[0].name)["redacts"] == before.name
    assert ask(kept[0] / "journeyline.duckdb", left.format(*horizons.values())) == [(0,)]
    assert ask(kept[0] / "journeyline.duckdb", emptied) == [(0,)]
    assert ask(kept[0] / "journeyline.duckdb", "select * from fct_kpi_values order by all") == (
        old_kpis
    )
    first_periods = "select kpi, min(period_start) from fct_kpi_values group by 1"
    since = dict(served(settings, first_periods))
    was = dict(ask(kept[0] / "journeyline.duckdb", first_periods))
    first = {name: date(h.year, h.month, 1) for name, h in horizons.items()}
    assert was["churn_share"] <= first["segment"] < since["churn_share"]
    assert was["nps"] <= first["surveys"] < since["nps"]
    assert since["csat_share"] == was["csat_share"]
    assert since["email_open_share"] == was["email_open_share"]
    notes = " ".join(compare_releases(settings).notes)
    assert f"rows of segment/events from before {horizons['segment']:%Y-%m-%d}" in notes
    assert "rows of surveys/responses" in notes

    # The same rows in other bytes, beside a new one: none of them is taken again.
    published = parquet_hashes(settings)
    at = max(d.received_at for d in list_deliveries(settings)) + timedelta(minutes=1)
    for label, content in copies.items():
        source, entity, _ = label.split("/")
        if (source, entity) == ("segment", "events"):
            plain = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
            lines = sorted(plain.decode().splitlines(), reverse=True)
            file = tmp_path / f"{entity}.ndjson"
            file.write_text("\n".join(lines) + "\n")
            land_file(settings, source, entity, file, at)
    file = tmp_path / "users.ndjson"
    file.write_text(json.dumps(support_user(990001)) + "\n")
    land_file(settings, "zendesk", "users", file, at)
    ledger = ledger_hashes(settings)
    again = run_nights(settings)
    assert again.load is not None
    assert again.load.accepted == 1
    ((is_balanced, _, twice, _),) = served(settings, BALANCE.format("_inputs"))
    assert is_balanced is True
    assert isinstance(twice, int) and twice > aged[0][2]
    assert set(ledger) < set(ledger_hashes(settings))
    assert parquet_hashes(settings) != published

    # Runs do not matter: from the landing alone come the same bytes, and the same ids.
    published, ledger = parquet_hashes(settings), ledger_hashes(settings)
    assert publication(run_nights(settings, full_refresh=True)) == (False, SAME_CONTENT)
    assert parquet_hashes(settings) == published
    assert ledger_hashes(settings) == ledger
    assert ask(settings.warehouse, BALANCE.format("ingest.deliveries"))[0][:3] == (
        True,
        twice,
        twice,
    )
