"""Superset, as docs/bi says, reads a release through its API while `current` flips 50 times."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import publishing
import pytest
import superset_server

from orchestration.publish.flipping import flip
from orchestration.publish.publisher import publish
from orchestration.settings import REPO_ROOT, Settings

FLIPS = 50
TEXT = (REPO_ROOT / "docs" / "bi" / "README.md").read_text(encoding="utf-8")
SECTION = re.split(r"^## ", TEXT.split("## Superset (tried)")[1], flags=re.MULTILINE)[0]
MARKERS = """
    select 'dim_customers' as place, country as marker from dim_customers
    union select 'fct_touchpoints', handling_seconds::varchar from fct_touchpoints
    union select '_release', release_id from _release"""


def lines_of(kind: str) -> str:
    (block,) = re.findall(rf"```{kind}\n(.*?)```", SECTION, re.DOTALL)
    return str(block)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Superset's programs; the environment is of nearly a gigabyte, so it does not stay."""
    command = shlex.split(lines_of("sh"))
    requirements = command[command.index("install") + 1 :]
    assert len(requirements) > 3
    folder = tmp_path_factory.mktemp("superset") / "venv"
    try:
        yield superset_server.install(folder, requirements)
    except superset_server.NotThere:
        pytest.skip("no package registry has Superset")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def home(tmp_path: Path) -> tuple[Settings, dict[str, str]]:
    """A home with three releases, in each of which every marker is one; release by marker."""
    settings = publishing.make_home(tmp_path)
    releases = {}
    for number in range(3):
        publishing.change(
            settings,
            f"update journey.fct_touchpoints set handling_seconds = {number};"
            f"update unify.dim_customers set country = '{number}'",
        )
        publish(settings, f"run-{number}")
        releases[str(number)] = settings.current.resolve().name
    return settings, releases


class Asker(threading.Thread):
    """Asks until it is told to stop, and keeps the releases of each answer."""

    def __init__(self, ask: Callable[[], list[dict[str, str]]], releases: dict[str, str]) -> None:
        super().__init__(daemon=True)
        self.ask, self.releases = ask, releases
        self.answers: list[set[str]] = []
        self.stopped = threading.Event()
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            while not self.stopped.is_set():
                rows = self.ask()
                assert {row["place"] for row in rows} == {
                    "dim_customers",
                    "fct_touchpoints",
                    "_release",
                }
                self.answers.append(
                    {self.releases.get(row["marker"], row["marker"]) for row in rows}
                )
        except BaseException as error:
            self.error = error


@pytest.mark.slow
def test_no_answer_of_superset_is_of_two_releases(
    home: tuple[Settings, dict[str, str]], programs: Path, tmp_path: Path
) -> None:
    settings, releases = home
    form = json.loads(lines_of("json"))
    uri = form["sqlalchemy_uri"].replace("/srv/journeyline/var/current", str(settings.current))
    assert str(settings.current) in uri
    said = {**form, "sqlalchemy_uri": uri, "extra": json.dumps(form["extra"])}
    with superset_server.running(programs, tmp_path / "superset") as superset:
        database = superset.ask("database/", said)["id"]
        dataset = superset.ask(
            "dataset/",
            {"database": database, "schema": "main", "table_name": "markers", "sql": MARKERS},
        )["id"]
        askers = [
            Asker(lambda: superset.rows(database, MARKERS), releases),
            Asker(lambda: superset.chart(dataset, ["place", "marker"]), releases),
        ]
        for asker in askers:
            asker.start()
        names = list(releases.values())
        for number in range(FLIPS):
            before = sum(len(asker.answers) for asker in askers)
            flip(settings, names[number % len(names)])
            while sum(len(a.answers) for a in askers) == before and not any(
                a.error for a in askers
            ):
                askers[0].stopped.wait(0.005)
        for asker in askers:
            asker.stopped.set()
            asker.join()
        assert [asker.error for asker in askers] == [None, None]
        # The next question sees what is served now.
        (now,) = superset.rows(database, "select release_id from _release")
        assert now["release_id"] == settings.current.resolve().name
        with pytest.raises(AssertionError, match="DML_NOT_ALLOWED"):
            superset.rows(database, "create table mine as select 1 as x")
    for asker in askers:
        assert [len(answer) for answer in asker.answers] == [1] * len(asker.answers)
        assert set.union(*asker.answers) == set(names)
    assert sum(len(asker.answers) for asker in askers) >= FLIPS
