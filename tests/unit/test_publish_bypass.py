"""Nobody gets around the gate: whatever is changed between audit and flip is refused."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from pathlib import Path

import duckdb
import publishing
import pytest

from orchestration.errors import JourneylineError
from orchestration.publish import journal
from orchestration.publish.publisher import STEPS, publish
from orchestration.publish.releases import list_releases, verify_release
from orchestration.settings import Settings

AFTER_AUDIT = STEPS[STEPS.index("audited") : STEPS.index("journalled")]


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = publishing.make_home(tmp_path_factory.mktemp("waiting"))
    publish(settings, "run-1")
    publishing.add_night(settings)
    return settings


def candidate_of(settings: Settings) -> Path:
    """The folder of the candidate, wherever the publisher has it just then."""
    staged = settings.releases / ".staging" / "candidate"
    served = settings.current.resolve().name
    others = [p for p in settings.releases.glob("20*") if p.name != served]
    return staged if staged.is_dir() else others[0]


def edit_a_row(folder: Path) -> None:
    path = folder / "journeyline.duckdb"
    path.chmod(0o644)
    folder.chmod(0o755)
    with duckdb.connect(str(path)) as connection:
        connection.execute("update dim_customers set country = 'XX' where customer_id = 'c1'")


def edit_parquet(folder: Path) -> None:
    path = folder / "parquet" / "fct_touchpoints" / "2025-12.parquet"
    path.chmod(0o644)
    duckdb.execute(
        f"copy (select * replace (7 as handling_seconds) from '{path}') to '{path}' "
        "(format parquet)"
    )


def add_a_file(folder: Path) -> None:
    folder.chmod(0o755)
    (folder / "smuggled.csv").write_text("a\n")


QUICK = {("audited", edit_a_row), ("proved", edit_parquet), ("moved", add_a_file)}
EDITS = [
    pytest.param(step, edit, marks=() if (step, edit) in QUICK else pytest.mark.slow)
    for step in ("audited", "proved", "moved")
    for edit in (edit_a_row, edit_parquet, add_a_file)
]


@pytest.mark.parametrize(("step", "edit"), EDITS)
def test_a_candidate_edited_between_audit_and_flip_is_refused(
    waiting: Settings, tmp_path: Path, step: str, edit: Callable[[Path], None]
) -> None:
    assert step in AFTER_AUDIT
    assert_refused(waiting, tmp_path, step, edit)


@pytest.mark.parametrize("step", ["manifest_written", "moved"])
def test_a_manifest_edited_before_the_flip_is_refused(
    waiting: Settings, tmp_path: Path, step: str
) -> None:
    def edit(folder: Path) -> None:
        path = folder / "manifest.json"
        path.chmod(0o644)
        content = json.loads(path.read_text())
        content["as_of"] = "2030-01-01T00:00:00Z"
        path.write_text(json.dumps(content, indent=2) + "\n")

    assert_refused(waiting, tmp_path, step, edit)


def assert_refused(
    waiting: Settings, folder: Path, step: str, edit: Callable[[Path], None]
) -> None:
    settings = publishing.copy_home(waiting, folder)
    before = settings.current.resolve().name

    def act(done: str) -> None:
        if done == step:
            edit(candidate_of(settings))

    with pytest.raises(JourneylineError, match="not what was audited"):
        publish(settings, "run-2", on_step=act)
    assert settings.current.resolve().name == before
    assert verify_release(settings).release_id == before
    assert len(journal.read_acts(settings)) == 1
    # The next one is not held up by what the refused one left.
    assert publish(settings, "run-3").published
    assert len(list_releases(settings)) == 2


def test_two_publishers_at_once_take_turns(waiting: Settings, tmp_path: Path) -> None:
    settings = publishing.copy_home(waiting, tmp_path)
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        reports = pool.starmap(publish, [(settings, "one"), (settings, "two")])
    assert sorted(report.published for report in reports) == [False, True]
    assert len({report.release_id for report in reports}) == 1
    assert verify_release(settings).release_id == reports[0].release_id
    assert [act["act"] for act in journal.read_acts(settings)] == ["publish", "publish"]
