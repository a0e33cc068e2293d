"""A loader or a landing killed with -9 at any step: the next one converges, nothing is twice."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from ingest_home import FIRST, activity, ask, group, land, lines

from orchestration.ingest.landing import list_deliveries
from orchestration.ingest.loader import load_deliveries
from orchestration.ingest.quarantine import act_on_quarantine
from orchestration.settings import REPO_ROOT, Settings

CONTENTS = "content_id,content_type,title,path,topic,stage,author,published_at,updated_at\n"
# Dies in the call of a function, once it was called as often as said.
_KILLED = """
import importlib, os, signal, sys
from datetime import datetime
from pathlib import Path
from orchestration.ingest import landing, loader
from orchestration.settings import Settings

home, work, module, name, calls = sys.argv[1:]
module = importlib.import_module(module)
original = getattr(module, name)
seen = []

def dying(*given, **named):
    seen.append(1)
    if len(seen) == int(calls):
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*given, **named)

setattr(module, name, dying)
if work == "load":
    loader.load_deliveries(Settings(home=Path(home)), None)
else:
    landing.land_once(
        Settings(home=Path(home)), "zendesk", "groups", Path(work), datetime(2025, 3, 9)
    )
"""
LOAD_STEPS = [
    ("orchestration.ingest.loader", "ensure_tables", 1),
    ("orchestration.ingest.batch", "append_rows", 2),
    ("orchestration.ingest.loader", "_set_clock", 1),
]
MORE_LOAD_STEPS = [
    ("orchestration.ingest.tables", "_create", 3),
    ("orchestration.ingest.preparing", "guard_delivery", 2),
    ("orchestration.ingest.preparing", "rewrite", 1),
    ("orchestration.ingest.batch", "read_batch", 1),
    ("orchestration.ingest.batch", "describe_files", 2),
    ("orchestration.ingest.batch", "describe_acts", 1),
    ("orchestration.ingest.batch", "judge_drift", 2),
    ("orchestration.ingest.batch", "find_duplicates", 1),
    ("orchestration.ingest.batch", "append_rows", 1),
    ("orchestration.ingest.batch", "append_quarantine", 1),
    ("orchestration.ingest.batch", "append_quarantine", 3),
    ("orchestration.ingest.batch", "count_rows", 2),
    ("orchestration.ingest.batch", "_forget", 2),
    ("orchestration.ingest.batch", "_record", 3),
    ("orchestration.ingest.batch", "_record_acts", 3),
]
LANDING_STEPS = [
    ("orchestration.ingest.landing", "_copy", 1),
    ("orchestration.ingest.landing", "_write_manifest", 1),
    ("orchestration.ingest.landing", "_sync", 1),
]


def deliver(settings: Settings) -> None:
    """Three tables with broken and doubled rows, one delivery held."""
    broken = [group(n, updated_at="soon" if n < 9 else "2025-01-02T00:00:00Z") for n in range(40)]
    land(settings, "zendesk/groups", lines(broken), FIRST)
    land(settings, "zendesk/groups", lines([group(99), group(99)]), FIRST + timedelta(days=1))
    events = [activity(n % 30) for n in range(60)]
    land(settings, "mailchimp/email_activity", lines(events), FIRST)
    row = 'c1,article,"A ""title""",/a,topic,trial,Ann,,2025-01-01T00:00:00Z\n'
    land(settings, "cms/contents", CONTENTS + row + row, FIRST, suffix=".csv")


def everything(settings: Settings) -> dict[str, list[tuple]]:
    found = {}
    for table, left_out in (
        ("raw.zendesk__groups", "_load_number"),
        ("raw.mailchimp__email_activity", "_load_number"),
        ("raw.cms__contents", "_load_number"),
        ("ingest.quarantine_rows", "state"),
        ("ingest.deliveries", "load_number"),
        ("ingest.drift", "detail"),
        ("ingest.acts", "load_number"),
    ):
        found[table] = ask(settings, f"select * exclude ({left_out}) from {table} order by all")
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home in which a first load, a replay and a second load went by without harm."""
    settings = Settings(home=tmp_path_factory.mktemp("undisturbed"))
    deliver(settings)
    load_deliveries(settings, None)
    act_on_quarantine(settings, "replay", "zendesk/groups", None)
    land(settings, "mailchimp/email_activity", lines([activity(77)]), FIRST + timedelta(days=1))
    load_deliveries(settings, None)
    return settings


def killed(settings: Settings, work: str, step: tuple[str, str, int]) -> bool:
    """Whether a process died at a step; it may end before, where the step is not reached."""
    module, name, calls = step
    process = subprocess.run(
        [sys.executable, "-c", _KILLED, str(settings.home), work, module, name, str(calls)],
        cwd=REPO_ROOT,
        capture_output=True,
    )
    assert process.returncode in (0, -signal.SIGKILL), process.stderr.decode()
    return process.returncode != 0


def dies_and_converges(undisturbed: Settings, home: Path, step: tuple[str, str, int]) -> bool:
    """Kill each of the two loads at a step, repeat it, and compare with the undisturbed home."""
    settings = Settings(home=home)
    shutil.copytree(undisturbed.landing, settings.landing)
    late = next(settings.landing.glob("mailchimp/email_activity/2025-03-02*"))
    acts = settings.landing / "acts.ndjson"
    aside = home / "aside"
    aside.mkdir()
    shutil.move(late, aside / late.name)
    shutil.move(acts, aside / acts.name)
    died = killed(settings, "load", step)
    load_deliveries(settings, None)
    shutil.move(aside / late.name, late)
    shutil.move(aside / acts.name, acts)
    died |= killed(settings, "load", step)
    load_deliveries(settings, None)
    assert everything(settings) == everything(undisturbed)
    assert not (settings.home / ".loading").exists()
    return died


@pytest.mark.parametrize("step", LOAD_STEPS, ids=lambda step: f"{step[1]}-{step[2]}")
def test_a_load_that_dies_is_repeated_as_if_it_had_not_begun(
    undisturbed: Settings, tmp_path: Path, step: tuple[str, str, int]
) -> None:
    assert dies_and_converges(undisturbed, tmp_path / "home", step)


@pytest.mark.slow
@pytest.mark.parametrize("step", MORE_LOAD_STEPS, ids=lambda step: f"{step[1]}-{step[2]}")
def test_a_load_dies_at_any_step(
    undisturbed: Settings, tmp_path: Path, step: tuple[str, str, int]
) -> None:
    assert dies_and_converges(undisturbed, tmp_path / "home", step)


@pytest.mark.parametrize("step", LANDING_STEPS, ids=lambda step: step[1])
def test_a_landing_that_dies_leaves_all_of_a_delivery_or_nothing(
    tmp_path: Path, step: tuple[str, str, int]
) -> None:
    settings = Settings(home=tmp_path / "home")
    file = tmp_path / "groups.ndjson"
    file.write_text(lines([group(1)]))
    assert killed(settings, str(file), step)
    assert list_deliveries(settings) == []
    land(settings, "zendesk/groups", file.read_text())
    assert load_deliveries(settings, None).accepted == 1
    assert len(list_deliveries(settings)) == 1
