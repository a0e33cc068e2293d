"""The command line before anything has run: help, wrong usage, an empty home."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.cli.main import main

COMMANDS = ("demo", "run", "status", "releases", "quarantine")


def _call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_help_lists_every_command_and_loads_none_of_the_heavy_libraries() -> None:
    code = (
        "import sys, contextlib\n"
        "from orchestration.cli.main import main\n"
        "with contextlib.suppress(SystemExit): main(['--help'])\n"
        "print('loaded', {'dagster', 'dbt', 'duckdb', 'great_expectations'} & set(sys.modules))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert all(f"  {command} " in told for command in COMMANDS)
    assert "loaded set()" in told


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _call(command, "--help") == 0
    told = capsys.readouterr().out
    assert told.startswith(f"Usage: journeyline {command}")
    assert len(told.splitlines()) > 4


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["walk"], "No such command 'walk'"),
        (["run", "--until", "March"], "write it like 2025-03-04"),
        (["demo", "--customers", "3"], "3 is not in the range"),
        (["releases", "rollback", "x"], "--reason"),
        (["quarantine", "show"], "WHAT"),
    ],
)
def test_wrong_usage_exits_2_and_says_what_is_wrong(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _call(*arguments) == 2
    assert says in capsys.readouterr().err


def test_a_run_with_nothing_delivered_exits_2_and_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _call("--home", str(tmp_path), "run") == 2
    told = capsys.readouterr().err
    assert "no delivery has landed" in told
    assert f"where: {tmp_path / 'landing'}" in told
    assert "next: Type `journeyline demo`" in told
    assert "Traceback" not in told
    assert _call("--debug", "--home", str(tmp_path), "run") == 2
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["run"], ["status"]])
def test_state_of_newer_code_exits_2(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "format.json").write_text('{"format": 99}', encoding="utf-8")
    assert _call("--home", str(tmp_path), *command) == 2
    assert "state format 99" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [["status"], ["releases", "list"], ["quarantine", "list"]], ids=" ".join
)
def test_an_empty_home_is_reported_on_as_text_and_as_json(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _call("--home", str(tmp_path), *command) == 0
    assert capsys.readouterr().out.strip()
    assert _call("--home", str(tmp_path), *command, "--json") == 0
    json.loads(capsys.readouterr().out)
