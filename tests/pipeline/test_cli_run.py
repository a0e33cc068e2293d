"""The command line on a built home: exit codes, JSON, the lock, the gate, a kill."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from built_company import Built, current_release, parquet_hashes
from dagster_home import recorded
from support_user import land_person

from orchestration.ingest.landing import land_file
from orchestration.pipeline.state import waiting_nights
from orchestration.settings import REPO_ROOT, Settings

# A run that waits for nothing would wait for ever.
pytestmark = pytest.mark.timeout(900)

REPORTS = (
    ["status"],
    ["releases", "list"],
    ["releases", "show"],
    ["releases", "verify"],
    ["quarantine", "list"],
    ["quarantine", "show", "segment/events"],
    ["run"],
)


def _start(settings: Settings, *arguments: str) -> subprocess.Popen[str]:
    """Start the command line in a process of its own, with no terminal and nothing to read."""
    return subprocess.Popen(
        [sys.executable, "-m", "orchestration.cli", "--home", str(settings.home), *arguments],
        cwd=settings.repo_root,
        env={**os.environ, "PYTHONPATH": str(REPO_ROOT),
             "JOURNEYLINE_PROJECT": str(settings.repo_root)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def _call(settings: Settings, *arguments: str) -> tuple[int, str, str]:
    process = _start(settings, *arguments)
    out, err = process.communicate(timeout=600)
    return process.returncode, out, err


@pytest.mark.parametrize("command", REPORTS, ids=" ".join)
def test_whatever_reports_speaks_to_people_and_takes_json(
    built: Built,
    command: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from orchestration.cli.main import main

    # Reading from it raises: a command that asked a question would fail here.
    monkeypatch.setattr("sys.stdin", None)
    told = []
    for form in ([], ["--json"]):
        with pytest.raises(SystemExit) as ended:
            main(["--home", str(built.settings.home), *command, *form])
        assert ended.value.code == 0
        told.append(capsys.readouterr().out)
    assert told[0].strip()
    assert json.loads(told[1])


def test_a_run_does_not_wait_for_another_where_it_is_told_not_to(built_home: Settings) -> None:
    with (built_home.home / ".writer.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4711")
        lock.flush()
        code, _, told = _call(built_home, "run", "--no-wait")
        assert code == 1
        assert "Another run (process 4711) is writing." in told
        assert "Traceback" not in told

        waiting = _start(built_home, "run")
        assert waiting.stderr is not None
        assert "waiting for another run (process 4711)" in waiting.stderr.readline()
        assert waiting.poll() is None
    out, _ = waiting.communicate(timeout=120)
    assert waiting.returncode == 0
    assert "nothing new" in out


def test_a_refused_delivery_fails_a_strict_run_that_publishes_all_the_same(
    built: Built, built_home: Settings, tmp_path: Path
) -> None:
    before = current_release(built_home)
    nights = [built.report.nights[-1] + timedelta(days=days) for days in (1, 2)]
    corrupted = tmp_path / "events.ndjson.gz"
    corrupted.write_bytes(b"\x1f\x8b\x08\x00 this is no gzip stream")
    at = [datetime.combine(night, time(2), tzinfo=UTC) for night in nights]
    land_file(built_home, "segment", "events", corrupted, at[0])
    land_person(built_home, tmp_path, "990401", at[0])
    land_person(built_home, tmp_path, "990402", at[1])

    code, out, told = _call(built_home, "run", "--strict", "--json", "--until", str(nights[0]))
    summary: dict[str, Any] = json.loads(out)
    assert code == 1
    assert summary["nights"] == [str(nights[0])]
    assert summary["published"] is True
    assert summary["release_id"] == current_release(built_home) != before
    assert summary["refused"][0].startswith("segment/events ")
    assert waiting_nights(built_home) == [nights[1]]
    assert [line for line in told.splitlines() if not line.endswith("…")] == []
    assert "gate and publish …" in told
    with dg.DagsterInstance.from_config(str(built_home.dagster_home)) as instance:
        run = recorded(instance, summary["run_id"]).run
    assert run.is_success
    assert run.tags["journeyline/refused_deliveries"] == "1"
    assert run.tags["journeyline/release"] == current_release(built_home)


@pytest.mark.slow
def test_a_gate_that_refuses_exits_3_and_the_ui_shows_why(
    built_home: Settings, project_copy: Callable[[Settings], Settings]
) -> None:
    settings = project_copy(built_home)
    path = settings.config / "kpis.yml"
    kpis = yaml.safe_load(path.read_text(encoding="utf-8"))
    kpis["kpis"][0]["bounds"] = {"minimum": "0.999", "maximum": "1"}
    path.write_text(yaml.safe_dump(kpis, sort_keys=False), encoding="utf-8")
    name = kpis["kpis"][0]["kpi"]
    before, hashes = current_release(settings), parquet_hashes(settings)
    code, out, told = _call(settings, "run")
    assert code == 3
    assert out == ""
    assert name in told
    assert "such as" in told
    assert "the last release is still served" in told
    assert "Traceback" not in told
    assert current_release(settings) == before
    assert parquet_hashes(settings) == hashes
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        (run,) = instance.get_runs()
        outcome = recorded(instance, run.run_id)
    assert outcome.run.is_failure
    failed = [check for check in outcome.checks.values() if not check.passed]
    assert [check.check_name for check in failed] == ["fct_kpi_values"]
    (record,) = failed[0].metadata["examples"].records
    assert name in record.data["rule"]
    assert record.data["rows that break it"] > 0
    assert "value=" in record.data["such as"]


@pytest.mark.slow
def test_a_killed_run_leaves_nothing_to_clean_up(built: Built, landed_home: Settings) -> None:
    killed = _start(landed_home, "run")
    assert killed.stderr is not None
    while "identify" not in (line := killed.stderr.readline()):
        assert line, "the run ended before it could be killed"
    killed.kill()
    killed.communicate()
    assert current_release(landed_home) is None

    code, out, told = _call(landed_home, "run", "--no-wait", "--json")
    assert code == 0, told
    assert json.loads(out)["published"] is True
    assert parquet_hashes(landed_home) == parquet_hashes(built.settings)
    with dg.DagsterInstance.from_config(str(landed_home.dagster_home)) as instance:
        statuses = [run.status for run in instance.get_runs()]
        assert instance.event_log_storage.get_concurrency_keys() == set()
    assert statuses == [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
    assert list((landed_home.dagster_home / "life_lines").glob("*")) == []
