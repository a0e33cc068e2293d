"""A bad night costs only what was bad."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

import pytest
import yaml
from built_company import DERIVED, STATE, Built, copy_home, current_release, parquet_hashes
from support_user import land_person

from orchestration import warehouse
from orchestration.errors import EXIT_REFUSED, JourneylineError
from orchestration.ingest.landing import land_file
from orchestration.pipeline.night import RunReport, run_nights
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


@dataclass(frozen=True)
class Night:
    """A run over a corrupted delivery and a good one, in which no other host could be called."""

    settings: Settings
    received_at: datetime
    report: RunReport
    called: list[object]


@pytest.fixture(scope="module")
def corrupted_night(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Night:
    """One run; the tests only look."""
    folder = tmp_path_factory.mktemp("corrupted")
    settings = copy_home(built.settings, folder / "home", (*STATE, *DERIVED))
    received_at = _next_night(built)
    corrupted = folder / "events.ndjson.gz"
    corrupted.write_bytes(b"\x1f\x8b\x08\x00 this is no gzip stream")
    land_file(settings, "segment", "events", corrupted, received_at)
    land_person(settings, folder, "990001", received_at)
    called: list[object] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", _no_call(called, socket.socket.connect))
        patch.setattr(socket, "getaddrinfo", _no_lookup(called, socket.getaddrinfo))
        report = run_nights(settings)
    return Night(settings, received_at, report, called)


def test_a_corrupted_delivery_is_refused_and_the_others_go_on(corrupted_night: Night) -> None:
    load = corrupted_night.report.load
    assert load is not None
    assert len(load.refused) == 1
    assert load.refused[0].startswith("segment/events/")
    assert load.accepted == 1
    release = corrupted_night.settings.current / "journeyline.duckdb"
    connection = warehouse.connect(release, read_only=True)
    status = connection.execute(
        "select status, landed_count, reason is not null from _inputs where received_at = ? "
        "order by source",
        [corrupted_night.received_at.replace(tzinfo=None)],
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


def test_a_run_calls_no_other_host(corrupted_night: Night) -> None:
    assert corrupted_night.report.publication is not None
    assert corrupted_night.called == []


def test_a_call_of_another_host_would_have_been_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[object] = []
    monkeypatch.setattr(socket.socket, "connect", _no_call(called, socket.socket.connect))
    monkeypatch.setattr(socket, "getaddrinfo", _no_lookup(called, socket.getaddrinfo))
    with pytest.raises(OSError, match="may not look up"):
        socket.create_connection(("host.example", 80))
    with socket.socket() as one, pytest.raises(OSError, match="may not call"):
        one.connect(("192.0.2.1", 80))
    assert called == ["host.example", ("192.0.2.1", 80)]


def _no_call(called: list[object], usual: Callable[..., object]) -> Callable[..., object]:
    def guarded(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else "local"
        if host not in ("127.0.0.1", "::1", "localhost", "local"):
            called.append(address)
            raise OSError(f"a run may not call {address}")
        usual(self, address)

    return guarded


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


def _next_night(built: Built) -> datetime:
    night = built.report.nights[-1] + timedelta(days=1)
    return datetime.combine(night, time(2), tzinfo=UTC)
