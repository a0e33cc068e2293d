"""Going back to an earlier release, and what is published afterwards."""

from __future__ import annotations

from pathlib import Path

import publishing
import pytest

from orchestration.errors import JourneylineError
from orchestration.publish import journal
from orchestration.publish.publisher import HELD, LEFT_BEHIND, publish
from orchestration.publish.releases import (
    list_releases,
    rollback,
    rollback_in_force,
    show_release,
    verify_release,
)
from orchestration.settings import Settings


@pytest.fixture(scope="module")
def published_twice(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = publishing.make_home(tmp_path_factory.mktemp("twice"))
    publish(settings, "run-1", now=publishing.clock)
    publishing.add_night(settings)
    publish(settings, "run-2", now=publishing.clock)
    return settings


@pytest.fixture
def two_releases(published_twice: Settings, tmp_path: Path) -> Settings:
    return publishing.copy_home(published_twice, tmp_path)


def test_a_rollback_serves_the_release_before_and_is_recorded(two_releases: Settings) -> None:
    second = journal.current_release(two_releases)
    report = rollback(two_releases, by="ada", reason="wrong prices", now=publishing.clock)
    assert report.left_release_id == second
    assert journal.current_release(two_releases) == report.release_id
    act = journal.read_acts(two_releases)[-1]
    assert (act["act"], act["by"], act["reason"]) == ("roll_back", "ada", "wrong prices")
    standings = {r.release_id: r.standing for r in list_releases(two_releases)}
    assert standings == {report.release_id: "current", second: "rolled back"}
    assert verify_release(two_releases).release_id == report.release_id


def test_what_was_left_behind_is_not_published_again_but_other_content_is(
    two_releases: Settings,
) -> None:
    rollback(two_releases, by="ada", reason="wrong prices")
    again = publish(two_releases, "run-3")
    assert (again.published, again.reason) == (False, LEFT_BEHIND)
    assert rollback_in_force(two_releases) is not None
    publishing.add_night(two_releases, 2)
    assert publish(two_releases, "run-4").published
    assert rollback_in_force(two_releases) is None


def test_a_held_rollback_lets_nothing_out(two_releases: Settings) -> None:
    rollback(two_releases, by="ada", reason="look first", hold=True)
    publishing.add_night(two_releases, 2)
    report = publish(two_releases, "run-3")
    assert (report.published, report.reason) == (False, HELD)


def test_content_that_came_back_after_other_content_gets_an_id_of_its_own(
    tmp_path: Path,
) -> None:
    settings = publishing.make_home(tmp_path)
    first = publish(settings, "run-1").release_id
    publishing.change(settings, "update unify.dim_customers set country = 'FR'")
    publish(settings, "run-2")
    publishing.change(settings, "update unify.dim_customers set country = 'DE'")
    third = publish(settings, "run-3")
    assert third.published
    assert third.release_id == f"{first}-2"


def test_the_first_release_has_nothing_before_it(tmp_path: Path) -> None:
    settings = publishing.make_home(tmp_path)
    publish(settings, "run-1")
    with pytest.raises(JourneylineError, match="no release before") as raised:
        rollback(settings, by="ada", reason="curious")
    assert raised.value.exit_code == 2


def test_a_release_that_does_not_exist_is_a_usage_error(two_releases: Settings) -> None:
    for act in (
        lambda: show_release(two_releases, "2020-01-01T000000Z-000000000000"),
        lambda: verify_release(two_releases, "../home"),
        lambda: rollback(two_releases, "nope", by="ada", reason="curious"),
    ):
        with pytest.raises(JourneylineError, match="There is no release") as raised:
            act()
        assert raised.value.exit_code == 2


def test_a_half_written_line_of_the_journal_is_no_act(two_releases: Settings) -> None:
    path = journal.journal_path(two_releases)
    with path.open("a", encoding="utf-8") as file:
        file.write('{"act": "roll_ba')
    assert len(journal.read_acts(two_releases)) == 2
    rollback(two_releases, by="ada", reason="wrong prices")
    assert [act["act"] for act in journal.read_acts(two_releases)] == [
        "publish",
        "publish",
        "roll_back",
    ]
