"""A publisher that dies at any step leaves the last release served and nothing to clean up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import publishing
import pytest

from orchestration.publish import journal
from orchestration.publish.publisher import STEPS, publish
from orchestration.publish.releases import list_releases, rollback, verify_release
from orchestration.settings import REPO_ROOT, Settings

_KILLED = """
import os, signal, sys
from pathlib import Path
from orchestration.publish.publisher import publish
from orchestration.settings import Settings

home, root, last = sys.argv[1:]
publish(
    Settings(home=Path(home), repo_root=Path(root)),
    "killed",
    on_step=lambda step: os.kill(os.getpid(), signal.SIGKILL) if step == last else None,
)
"""


class PowerCut(BaseException):
    """Not an error that anything may handle."""


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home with one release and another night to publish."""
    settings = publishing.make_home(tmp_path_factory.mktemp("waiting"))
    publish(settings, "run-1")
    publishing.add_night(settings)
    return settings


@pytest.fixture(scope="module")
def expected(
    waiting: Settings, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, dict[str, bytes]]:
    """Release id and Parquet of the second release, had nothing gone wrong."""
    settings = publishing.copy_home(waiting, tmp_path_factory.mktemp("expected"))
    publish(settings, "run-2")
    return settings.current.resolve().name, publishing.parquet_bytes(settings)


def assert_converges(
    settings: Settings, first: str, expected: tuple[str, dict[str, bytes]]
) -> None:
    report = publish(settings, "run-3")
    assert (report.release_id, publishing.parquet_bytes(settings)) == expected
    assert {r.release_id for r in list_releases(settings)} == {first, expected[0]}
    assert verify_release(settings).release_id == expected[0]
    assert sorted(p.name for p in settings.releases.iterdir()) == sorted(
        [first, expected[0], "journal.ndjson"]
    )


@pytest.mark.parametrize("last_step", STEPS)
def test_a_publisher_that_dies_after_a_step_changes_nothing_before_the_flip(
    waiting: Settings, tmp_path: Path, last_step: str, expected: tuple[str, dict[str, bytes]]
) -> None:
    settings = publishing.copy_home(waiting, tmp_path)
    first = settings.current.resolve().name

    def die(step: str) -> None:
        if step == last_step:
            raise PowerCut

    with pytest.raises(PowerCut):
        publish(settings, "run-2", on_step=die)
    served = expected[0] if last_step == "flipped" else first
    assert settings.current.resolve().name == served
    assert verify_release(settings).release_id == served
    assert_converges(settings, first, expected)


@pytest.mark.parametrize("last_step", ["built", "moved", "journalled"])
def test_a_publisher_killed_with_9_is_cleared_up_by_the_next(
    waiting: Settings, tmp_path: Path, last_step: str, expected: tuple[str, dict[str, bytes]]
) -> None:
    settings = publishing.copy_home(waiting, tmp_path)
    first = settings.current.resolve().name
    arguments = [str(settings.home), str(settings.repo_root), last_step]
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, *arguments], cwd=REPO_ROOT, check=False, env=os.environ
    )
    assert done.returncode == -signal.SIGKILL
    assert settings.current.resolve().name == first
    assert_converges(settings, first, expected)


def test_a_rollback_whose_flip_never_came_did_not_happen(waiting: Settings, tmp_path: Path) -> None:
    settings = publishing.copy_home(waiting, tmp_path)
    first = settings.current.resolve().name
    second = publish(settings, "run-2").release_id
    act = {"act": journal.ROLL_BACK, "release_id": first, "left_release_id": second, "hold": True}
    act |= {"content_hash": "a", "left_content_hash": "b"}
    journal.append_act(settings, act)
    assert journal.standing(settings).rollback is None
    publishing.add_night(settings, 2)
    assert publish(settings, "run-3").published
    assert [a["act"] for a in journal.read_acts(settings)][-2:] == ["abandoned", "publish"]
    assert rollback(settings, by="ada", reason="test").release_id == second
