"""One writer: a second one waits and says so, a killed one leaves nothing to clean up by hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from built_company import DERIVED, STATE, Built, copy_home, current_release, parquet_hashes

from orchestration.errors import EXIT_FAILED, JourneylineError
from orchestration.pipeline.locking import writing
from orchestration.pipeline.night import run_nights
from orchestration.pipeline.state import waiting_nights
from orchestration.settings import REPO_ROOT, Settings

_HOLDING = """
import sys
from pathlib import Path
from orchestration.settings import Settings
from orchestration.warehouse import writer_lock

with writer_lock(Settings(home=Path(sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.read()
"""

# Runs the nights and dies, without a chance to tidy up, when the given line is told.
_KILLED = """
import os, signal, sys
from pathlib import Path
from orchestration.pipeline.night import run_nights
from orchestration.settings import Settings

home, root, last = sys.argv[1:]

def told(line):
    if last in line:
        os.kill(os.getpid(), signal.SIGKILL)

run_nights(Settings(home=Path(home), repo_root=Path(root)), progress=told)
"""


def start(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        cwd=REPO_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_second_writer_waits_and_says_so_or_fails_where_it_may_not_wait(
    built_home: Settings,
) -> None:
    holder = start(_HOLDING, str(built_home.home))
    assert holder.stdin is not None
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(JourneylineError) as refused, writing(built_home, wait=False):
        pass
    assert refused.value.exit_code == EXIT_FAILED
    assert str(holder.pid) in refused.value.what
    told: list[str] = []

    def let_go(line: str) -> None:
        told.append(line)
        if "waiting for another run" in line:
            holder.communicate()

    report = run_nights(built_home, progress=let_go)
    assert told[0] == f"waiting for another run (process {holder.pid}) to end …"
    assert report.nothing_new


def test_a_writer_that_died_holds_nothing_up(built_home: Settings) -> None:
    holder = start(_HOLDING, str(built_home.home))
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    holder.kill()
    holder.communicate()
    with writing(built_home, wait=False):
        assert waiting_nights(built_home) == []


@pytest.fixture(scope="module")
def half_way(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The company with all nights but the last two run. Read only: copy it."""
    home = copy_home(built.settings, tmp_path_factory.mktemp("half") / "home", STATE)
    run_nights(home, until=built.report.nights[-3])
    return home


@pytest.mark.slow
@pytest.mark.parametrize(
    "last",
    [
        "stage and match",
        "unify.int_match_edges",
        "identify",
        "journey.fct_touchpoints",
        "measure.fct_kpi_values",
        "gate and publish",
    ],
)
def test_a_run_killed_in_mid_flight_converges_to_the_same_bytes(
    built: Built, half_way: Settings, tmp_path: Path, last: str
) -> None:
    home = copy_home(half_way, tmp_path / "home", (*STATE, *DERIVED))
    before = current_release(home)
    killed = start(_KILLED, str(home.home), str(home.repo_root), last)
    killed.communicate()
    assert killed.returncode == -9, "the line was never told"
    assert current_release(home) == before
    run_nights(home)
    assert current_release(home) != before
    assert parquet_hashes(home) == parquet_hashes(built.settings)
    assert not list(home.home.glob(".loading*"))
    assert not list((home.home / "staging").glob("*"))


@pytest.mark.slow
def test_a_run_killed_while_it_loads_converges_to_the_same_bytes(
    built: Built, half_way: Settings, tmp_path: Path
) -> None:
    home = copy_home(half_way, tmp_path / "home", (*STATE, *DERIVED))
    script = _KILLED.replace(
        "run_nights(Settings",
        "from orchestration.ingest import loader\n"
        "loader._set_clock = lambda *_: told(last)\n"
        "run_nights(Settings",
    )
    killed = start(script, str(home.home), str(home.repo_root), "all rows appended")
    killed.communicate()
    assert killed.returncode == -9
    run_nights(home)
    assert parquet_hashes(home) == parquet_hashes(built.settings)
