"""A bad night costs only what was bad."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest
import yaml
from built_company import Built, current_release, parquet_hashes

from orchestration import warehouse
from orchestration.errors import EXIT_REFUSED, JourneylineError
from orchestration.ingest.landing import land_file
from orchestration.pipeline.night import run_nights
from orchestration.settings import Settings


@pytest.mark.parametrize("kept", [{"hubspot"}])
def test_a_subset_of_the_sources_publishes(landed_home: Settings, kept: set[str]) -> None:
    _keep_sources(landed_home, kept)
    assert run_nights(landed_home).publication is not None
    assert _published_sources(landed_home) == kept


@pytest.mark.slow
@pytest.mark.parametrize("kept", ["mailchimp", "segment", "zendesk", "surveys", "cms"])
def test_any_one_source_publishes(landed_home: Settings, kept: str) -> None:
    _keep_sources(landed_home, {kept})
    assert run_nights(landed_home).publication is not None
    assert current_release(landed_home) is not None


def test_a_corrupted_delivery_is_refused_and_the_others_go_on(
    built: Built, built_home: Settings, tmp_path: Path
) -> None:
    received_at = _next_night(built)
    corrupted = tmp_path / "events.ndjson.gz"
    corrupted.write_bytes(b"\x1f\x8b\x08\x00 this is no gzip stream")
    land_file(built_home, "segment", "events", corrupted, received_at)
    _land_person(built_home, tmp_path, "990001", received_at)
    report = run_nights(built_home)
    assert report.load is not None
    assert len(report.load.refused) == 1
    assert report.load.refused[0].startswith("segment/events/")
    assert report.load.accepted == 1
    connection = warehouse.connect(built_home.current / "journeyline.duckdb", read_only=True)
    status = connection.execute(
        "select status, landed_count, reason is not null from _inputs where received_at = ? "
        "order by source",
        [received_at.replace(tzinfo=None)],
    ).fetchall()
    connection.close()
    assert status == [("refused", 0, True), ("loaded", 1, False)]


def test_a_kpi_out_of_bounds_keeps_the_last_release(
    built_home: Settings, project_copy: Callable[[Settings], Settings]
) -> None:
    settings = project_copy(built_home)
    path = settings.config / "kpis.yml"
    kpis = yaml.safe_load(path.read_text(encoding="utf-8"))
    kpis["kpis"][0]["bounds"] = {"minimum": "0.999", "maximum": "1"}
    path.write_text(yaml.safe_dump(kpis, sort_keys=False), encoding="utf-8")
    before, hashes = current_release(settings), parquet_hashes(settings)
    with pytest.raises(JourneylineError) as refused:
        run_nights(settings)
    assert refused.value.exit_code == EXIT_REFUSED
    assert kpis["kpis"][0]["kpi"] in str(refused.value)
    assert current_release(settings) == before
    assert parquet_hashes(settings) == hashes


def test_a_run_calls_no_other_host(
    built: Built, built_home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[object] = []
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else "local"
        if host not in ("127.0.0.1", "::1", "localhost", "local"):
            called.append(address)
            raise OSError(f"a run may not call {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    monkeypatch.setattr(socket, "getaddrinfo", _no_lookup(called, socket.getaddrinfo))
    _land_person(built_home, tmp_path, "990002", _next_night(built))
    run_nights(built_home)
    assert called == []


def _no_lookup(called: list[object], usual: Callable[..., object]) -> Callable[..., object]:
    def guarded(host: object, *rest: object, **named: object) -> object:
        if host not in (None, "127.0.0.1", "::1", "localhost"):
            called.append(host)
            raise OSError(f"a run may not look up {host}")
        return usual(host, *rest, **named)

    return guarded


def _keep_sources(settings: Settings, kept: set[str]) -> None:
    for folder in settings.landing.iterdir():
        if folder.is_dir() and folder.name not in kept:
            shutil.rmtree(folder)


def _published_sources(settings: Settings) -> set[str]:
    connection = warehouse.connect(settings.current / "journeyline.duckdb", read_only=True)
    rows = connection.execute(
        "select source from bridge_customer_records union select source from fct_touchpoints"
    ).fetchall()
    connection.close()
    return {source for (source,) in rows}


def _land_person(settings: Settings, folder: Path, user_id: str, received_at: datetime) -> None:
    """Land one support user whom nobody knew, so that there is something to publish."""
    user = {
        "id": int(user_id),
        "email": f"new.person.{user_id}@example.org",
        "name": "New Person",
        "role": "end-user",
        "created_at": "2025-07-01T00:00:00Z",
        "updated_at": "2025-07-01T00:00:00Z",
        "active": True,
    }
    path = folder / "users.ndjson"
    path.write_text(json.dumps(user) + "\n", encoding="utf-8")
    land_file(settings, "zendesk", "users", path, received_at)


def _next_night(built: Built) -> datetime:
    night = built.report.nights[-1] + timedelta(days=1)
    return datetime.combine(night, time(2), tzinfo=UTC)
