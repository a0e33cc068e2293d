"""What the UI is told about the code location, and a run that is launched from it."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from dagster_ui import DagsterUi

from orchestration.demo.company import deliver_next_night

pytestmark = pytest.mark.slow

_LOCATION = """
{
  workspaceOrError {
    __typename
    ... on Workspace {
      locationEntries {
        name
        loadStatus
        locationOrLoadError {
          __typename
          ... on PythonError { message }
          ... on RepositoryLocation {
            repositories {
              name
              jobs { name }
              schedules { name cronSchedule executionTimezone scheduleState { status } }
              sensors { name sensorState { status } }
            }
          }
        }
      }
    }
  }
}
"""
_ASSETS = """
{
  assetNodes {
    assetKey { path } groupName dependencyKeys { path } isMaterializable
    assetChecksOrError {
      ... on AssetChecks { checks { name blocking } }
    }
  }
}
"""
_RUNS = "{ runsOrError { ... on Runs { results { runId status jobName tags { key value } } } } }"
_LAUNCH = """
mutation Launch($parameters: ExecutionParams!) {
  launchRun(executionParams: $parameters) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}
"""
_RUN = """
query Run($id: ID!) {
  runOrError(runId: $id) { ... on Run { status tags { key value } } }
  logsForRun(runId: $id) {
    ... on EventConnection { events { ... on MessageEvent { message } } }
  }
}
"""


def test_the_location_loads_with_its_job_its_schedule_and_its_sensor(ui: DagsterUi) -> None:
    (location,) = ui.ask(_LOCATION)["workspaceOrError"]["locationEntries"]
    assert location["name"] == "journeyline"
    assert location["loadStatus"] == "LOADED"
    assert location["locationOrLoadError"]["__typename"] == "RepositoryLocation"
    (repository,) = location["locationOrLoadError"]["repositories"]
    assert "nightly" in [job["name"] for job in repository["jobs"]]
    assert repository["schedules"] == [
        {
            "name": "nightly",
            "cronSchedule": "0 2 * * *",
            "executionTimezone": "UTC",
            "scheduleState": {"status": "RUNNING"},
        }
    ]
    assert [sensor["name"] for sensor in repository["sensors"]] == ["new_deliveries"]
    log = ui.log.read_text(encoding="utf-8")
    assert "Serving dagster-webserver" in log
    assert [line for line in log.splitlines() if "WARNING" in line or "ERROR" in line] == []


def test_the_graph_has_the_stages_and_the_checks_of_the_gate(ui: DagsterUi) -> None:
    nodes = ui.ask(_ASSETS)["assetNodes"]
    by_key = {"/".join(node["assetKey"]["path"]): node for node in nodes}
    groups = {node["groupName"] for node in nodes}
    assert groups == {"ingest", "stage", "unify", "journey", "measure", "decide", "gate", "publish"}
    checks = by_key["gate/audit"]["assetChecksOrError"]["checks"]
    assert {"dim_customers", "fct_journeys", "across_tables"} <= {c["name"] for c in checks}
    assert all(check["blocking"] for check in checks)
    known = set(by_key)
    for node in nodes:
        assert {"/".join(key["path"]) for key in node["dependencyKeys"]} <= known


def test_the_run_of_the_command_line_is_among_the_runs(ui: DagsterUi) -> None:
    runs = {run["runId"]: run for run in ui.ask(_RUNS)["runsOrError"]["results"]}
    run = runs[ui.run["run_id"]]
    assert (run["jobName"], run["status"]) == ("nightly", "SUCCESS")
    tags = {tag["key"]: tag["value"] for tag in run["tags"]}
    assert tags["journeyline/release"] == ui.run["release_id"]


def test_a_run_launched_in_the_ui_waits_for_the_writer_says_so_and_publishes(
    ui: DagsterUi,
) -> None:
    night = deliver_next_night(ui.settings)
    before = ui.settings.current.resolve()
    with (ui.settings.home / ".writer.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4711")
        lock.flush()
        run_id = _launch(ui, night - timedelta(days=1), night)
        _until(lambda: "waiting for another run (process 4711)" in " ".join(_told(ui, run_id)))
        assert _run(ui, run_id)["status"] == "STARTED"
        assert ui.settings.current.resolve() == before
    _until(lambda: _run(ui, run_id)["status"] in ("SUCCESS", "FAILURE"))
    run = _run(ui, run_id)
    assert run["status"] == "SUCCESS", _told(ui, run_id)
    tags = {tag["key"]: tag["value"] for tag in run["tags"]}
    assert tags["journeyline/release"] == ui.settings.current.resolve().name != before.name


def _launch(ui: DagsterUi, first: date, last: date) -> str:
    answer = ui.ask(
        _LAUNCH,
        parameters={
            "selector": {
                "repositoryLocationName": "journeyline",
                "repositoryName": "__repository__",
                "jobName": "nightly",
            },
            "mode": "default",
            "executionMetadata": {
                "tags": [
                    {"key": "dagster/asset_partition_range_start", "value": first.isoformat()},
                    {"key": "dagster/asset_partition_range_end", "value": last.isoformat()},
                ]
            },
        },
    )["launchRun"]
    assert answer["__typename"] == "LaunchRunSuccess", answer
    run_id: str = answer["run"]["runId"]
    return run_id


def _run(ui: DagsterUi, run_id: str) -> dict[str, Any]:
    run: dict[str, Any] = ui.ask(_RUN, id=run_id)["runOrError"]
    return run


def _told(ui: DagsterUi, run_id: str) -> list[str]:
    events = ui.ask(_RUN, id=run_id)["logsForRun"]["events"]
    return [str(event.get("message")) for event in events]


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 400
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(1)
