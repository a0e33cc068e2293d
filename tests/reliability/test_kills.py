"""Publishers killed with -9 at every step and at random moments, with readers reading."""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path

import harness
import publishing
import pytest
from document import Document
from readers import KINDS, MARKERS

from orchestration.publish.publisher import STEPS, publish
from orchestration.publish.releases import list_releases, rollback
from orchestration.settings import Settings

RANDOM_KILLS = 30
MANY_RANDOM_KILLS = 300
SEED = 20261128
CONTROL_SECONDS = 8


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    home = publishing.make_home(tmp_path)
    harness.mark(home, 0)
    publish(home, "run-0")
    return home


@pytest.mark.slow
@pytest.mark.parametrize(
    "random_kills", [RANDOM_KILLS, pytest.param(MANY_RANDOM_KILLS, marks=pytest.mark.long)]
)
def test_no_reader_sees_two_releases_or_none_however_publishers_are_killed(
    settings: Settings, tmp_path: Path, document: Document, random_kills: int
) -> None:
    chance = random.Random(SEED)
    killed, done_first, took = 0, 0, 1.0
    attempts: list[str | None] = [*STEPS, *[None] * random_kills]
    with harness.reading(settings.home, tmp_path / "readers", tuple(KINDS)) as figures:
        for number, step in enumerate(attempts, start=1):
            before = harness.served_marker(settings)
            harness.mark(settings, number)
            code = harness.publish_killed(settings, step=step, after=chance.uniform(0, took))
            killed += code != 0
            done_first += code == 0
            assert harness.served_marker(settings) in {before, str(number)}
            started = time.monotonic()
            publish(settings, "after")
            # The last one's time, not the longest: most kills would come when all is done.
            took = time.monotonic() - started
            assert harness.served_marker(settings) == str(number)
            assert not (settings.releases / ".staging").exists()
        rollback(settings, by="test", reason="test")
    assert (figures.total("torn"), figures.total("invalid")) == (0, 0), figures
    assert killed >= len(STEPS)
    assert all(counts["answers"] > 10 for counts in figures.by_kind.values()), figures
    assert figures.total("releases") > len(STEPS)
    assert len(list_releases(settings)) == len(attempts) + 1
    document.add(
        f"Publishers killed with -9, at each of {len(STEPS)} steps and {random_kills} times at "
        "random",
        f"{killed} killed, {done_first} were done first; "
        f"{figures.total('answers')} sessions ({', '.join(KINDS)}), "
        f"{figures.total('torn')} torn, {figures.total('invalid')} invalid",
    )


def live_copies(tmp_path: Path) -> tuple[Path, list[Path]]:
    """A home whose `current` is a plain folder, and two releases to overwrite it with."""
    sources = []
    for number in (1, 2):
        settings = publishing.make_home(tmp_path / str(number), touchpoints=20_000)
        harness.mark(settings, number)
        publish(settings, "run")
        sources.append(settings.current.resolve())
    live = tmp_path / "live" / "current"
    shutil.copytree(sources[0], live)
    for path in [live, *live.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    return live.parent, sources


@pytest.mark.slow
def test_the_readers_do_see_files_that_are_overwritten_in_place(
    tmp_path: Path, document: Document
) -> None:
    """A harness that cannot fail proves nothing: what the publisher never does, tears."""
    home, sources = live_copies(tmp_path)
    with harness.reading(home, tmp_path / "readers", ("pinned_parquet",)) as figures:
        until = time.monotonic() + CONTROL_SECONDS
        number = 0
        while time.monotonic() < until:
            number += 1
            for table in MARKERS:
                for path in (sources[number % 2] / "parquet" / table).iterdir():
                    shutil.copyfile(path, home / "current" / "parquet" / table / path.name)
    assert figures.total("torn") + figures.total("invalid") > 0, figures
    document.add(
        "Control: Parquet overwritten in place does tear",
        f"{figures.total('answers')} sessions, {figures.total('torn')} torn, "
        f"{figures.total('invalid')} invalid",
    )


@pytest.mark.slow
def test_the_readers_do_see_a_database_that_is_copied_over_the_live_one(
    tmp_path: Path, document: Document
) -> None:
    home, sources = live_copies(tmp_path)
    live = home / "current" / "journeyline.duckdb"
    with harness.reading(home, tmp_path / "readers", ("new_connection",)) as figures:
        until = time.monotonic() + CONTROL_SECONDS
        number = 0
        while time.monotonic() < until:
            number += 1
            shutil.copyfile(sources[number % 2] / "journeyline.duckdb", live)
    assert figures.total("torn") + figures.total("invalid") > 0, figures
    document.add(
        "Control: a DuckDB file copied over the live one does tear",
        f"{figures.total('answers')} sessions, {figures.total('torn')} torn, "
        f"{figures.total('invalid')} invalid",
    )
