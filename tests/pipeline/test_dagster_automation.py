"""The nightly schedule, the sensor, and what is tried again."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import dagster as dg
import pytest
from built_company import Built, current_release
from dagster_home import Outcome, materialize
from support_user import land_person

from orchestration.defs import identity, ingest, release, transform
from orchestration.defs.assembly import assemble
from orchestration.defs.automation import BETWEEN_NIGHTS
from orchestration.defs.liveness import bury_dead_runs
from orchestration.ingest.acts import DISCARD, REPLAY, append_acts
from orchestration.pipeline.state import current_as_of, waiting_nights
from orchestration.settings import Settings

CONTACTS = "raw/hubspot__contacts"


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    folder = tmp_path / "dagster"
    folder.mkdir()
    with dg.DagsterInstance.local_temp(str(folder)) as local:
        yield local


def test_a_tick_in_a_demo_home_delivers_and_requests_the_company_s_next_night(
    built: Built, built_home: Settings, instance: dg.DagsterInstance
) -> None:
    next_night = built.report.nights[-1] + timedelta(days=1)
    assert waiting_nights(built_home) == []
    request = _tick(built_home, instance, datetime(2026, 11, 24, 2, tzinfo=UTC))
    assert isinstance(request, dg.RunRequest)
    assert _range(request) == (next_night.isoformat(), next_night.isoformat())
    assert BETWEEN_NIGHTS not in request.tags
    assert waiting_nights(built_home) == [next_night]

    # A tick that comes before that night was run delivers no other.
    again = _tick(built_home, instance, datetime(2026, 11, 25, 2, tzinfo=UTC))
    assert isinstance(again, dg.RunRequest)
    assert _range(again) == _range(request)
    assert waiting_nights(built_home) == [next_night]


def test_a_tick_of_a_company_of_one_s_own_runs_what_waits_and_nothing_else(
    built: Built, built_home: Settings, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    (built_home.truth / "company.json").unlink()
    night = built.report.nights[-1] + timedelta(days=2)
    tick = datetime.combine(night + timedelta(days=1), time(2), tzinfo=UTC)
    skipped = _tick(built_home, instance, tick)
    assert isinstance(skipped, dg.SkipReason)
    assert skipped.skip_message is not None
    assert "No delivery waits" in skipped.skip_message

    land_person(built_home, tmp_path, "990201", datetime.combine(night, time(5), tzinfo=UTC))
    request = _tick(built_home, instance, tick)
    assert isinstance(request, dg.RunRequest)
    assert _range(request) == (night.isoformat(), night.isoformat())
    assert BETWEEN_NIGHTS not in request.tags

    # Of a night that is going on, as-of is the newest arrival and not the midnight to come.
    land_person(built_home, tmp_path, "990202", tick - timedelta(hours=1))
    request = _tick(built_home, instance, tick)
    assert isinstance(request, dg.RunRequest)
    assert _range(request) == (night.isoformat(), tick.date().isoformat())
    assert request.tags[BETWEEN_NIGHTS] == "true"
    loaded = materialize(built_home, instance, tick.date(), CONTACTS, tags={BETWEEN_NIGHTS: "true"})
    assert loaded.run.is_success, loaded.failures
    assert current_as_of(built_home) == datetime.combine(tick.date(), time(1))


def test_the_sensor_asks_once_for_the_same_deliveries(
    built: Built, built_home: Settings, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    night = built.report.nights[-1] + timedelta(days=1)
    assert isinstance(_sense(built_home, instance), dg.SkipReason)
    land_person(built_home, tmp_path, "990301", datetime.combine(night, time(5), tzinfo=UTC))
    first, second = _sense(built_home, instance), _sense(built_home, instance)
    assert isinstance(first, dg.RunRequest)
    assert isinstance(second, dg.RunRequest)
    assert first.run_key
    assert first.run_key == second.run_key
    assert _range(first) == (night.isoformat(), night.isoformat())
    assert first.tags[BETWEEN_NIGHTS] == "true"
    land_person(built_home, tmp_path, "990302", datetime.combine(night, time(6), tzinfo=UTC))
    third = _sense(built_home, instance)
    assert isinstance(third, dg.RunRequest)
    assert third.run_key != first.run_key
    with (built_home.home / ".writer.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert isinstance(_sense(built_home, instance), dg.SkipReason)


def test_the_sensor_asks_once_for_a_replay_and_not_for_a_discard(
    built_home: Settings, instance: dg.DagsterInstance
) -> None:
    delivery = next(built_home.landing.glob("zendesk/groups/*"))
    row = ("zendesk", "groups", delivery.name, 1)
    at = current_as_of(built_home)
    assert at is not None
    append_acts(built_home, DISCARD, [row], at + timedelta(seconds=1))
    assert isinstance(_sense(built_home, instance), dg.SkipReason)
    append_acts(built_home, REPLAY, [row], at + timedelta(seconds=2))
    first, second = _sense(built_home, instance), _sense(built_home, instance)
    assert isinstance(first, dg.RunRequest) and isinstance(second, dg.RunRequest)
    assert first.run_key and first.run_key == second.run_key
    assert _range(first) == (at.date().isoformat(), at.date().isoformat())
    assert first.tags[BETWEEN_NIGHTS] == "true"


def test_a_warehouse_that_another_program_has_open_is_tried_again(
    built: Built,
    built_home: Settings,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (identity, ingest, release, transform):
        monkeypatch.setattr(module, "RETRIES", dg.RetryPolicy(max_retries=2, delay=1))
    reader = subprocess.Popen(
        [sys.executable, "-c", "import duckdb, sys; c = duckdb.connect(sys.argv[1]); "
         "print('open', flush=True); sys.stdin.read()", str(built_home.warehouse)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "open\n"
        with _closed_at_the_first_retry(instance, reader):
            outcome = materialize(built_home, instance, built.report.nights[-1], CONTACTS)
    finally:
        reader.kill()
        reader.communicate()
    assert outcome.count("STEP_UP_FOR_RETRY") >= 1
    assert outcome.run.is_success, outcome.failures


def test_a_mistake_in_the_configuration_is_not_tried_again(
    built: Built,
    built_home: Settings,
    instance: dg.DagsterInstance,
    project_copy: Callable[[Settings], Settings],
) -> None:
    settings = project_copy(built_home)
    before = current_release(settings)
    path = settings.config / "sources.yml"
    path.write_text(path.read_text(encoding="utf-8") + "\nnonsense: true\n", encoding="utf-8")
    outcome = materialize(settings, instance, built.report.nights[-1], CONTACTS)
    assert not outcome.run.is_success
    assert outcome.count("STEP_UP_FOR_RETRY") == 0
    assert outcome.count("STEP_START") == 1
    assert "nonsense" in outcome.failures[0]
    assert "next:" in outcome.failures[0]
    assert current_release(settings) == before


@dg.op
def nothing() -> None:
    """Do nothing."""


@dg.job
def small_job() -> None:
    """A job of one step: whose run it is does not matter to whether its process died."""
    nothing()


def test_a_run_whose_process_died_is_recorded_as_failed(
    built_home: Settings, instance: dg.DagsterInstance
) -> None:
    dead, alive = (
        instance.create_run_for_job(small_job, status=dg.DagsterRunStatus.STARTED) for _ in range(2)
    )
    folder = built_home.dagster_home / "life_lines"
    folder.mkdir(parents=True)
    (folder / f"{dead.run_id}.lock").touch()
    with (folder / f"{alive.run_id}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert bury_dead_runs(built_home, instance) == [dead.run_id]
        assert bury_dead_runs(built_home, instance) == []
    statuses = {run.run_id: run.status for run in instance.get_runs()}
    assert statuses[dead.run_id] == dg.DagsterRunStatus.FAILURE
    assert statuses[alive.run_id] == dg.DagsterRunStatus.STARTED


def _tick(
    settings: Settings, instance: dg.DagsterInstance, at: datetime
) -> dg.RunRequest | dg.SkipReason:
    (schedule,) = assemble(settings).schedules or []
    assert isinstance(schedule, dg.ScheduleDefinition)
    with dg.build_schedule_context(instance, scheduled_execution_time=at) as context:
        return schedule(context)  # type: ignore[no-any-return]


def _sense(settings: Settings, instance: dg.DagsterInstance) -> dg.RunRequest | dg.SkipReason:
    (sensor,) = assemble(settings).sensors or []
    with dg.build_sensor_context(instance) as context:
        return sensor(context)  # type: ignore[no-any-return]


def _range(request: dg.RunRequest) -> tuple[str, str]:
    return (
        request.tags["dagster/asset_partition_range_start"],
        request.tags["dagster/asset_partition_range_end"],
    )


class _closed_at_the_first_retry:
    """Closes the other program as soon as Dagster says that it will try again."""

    def __init__(self, instance: dg.DagsterInstance, reader: subprocess.Popen[str]) -> None:
        self._instance = instance
        self._reader = reader
        self._done = threading.Event()
        self._watcher = threading.Thread(target=self._watch)

    def __enter__(self) -> None:
        self._watcher.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._watcher.join()

    def _watch(self) -> None:
        while not self._done.wait(0.1):
            for run in self._instance.get_runs(limit=1):
                found = Outcome(run, None, [
                    log.dagster_event
                    for log in self._instance.all_logs(run.run_id) if log.is_dagster_event
                ])  # fmt: skip
                if found.count("STEP_UP_FOR_RETRY"):
                    self._reader.kill()
                    return
