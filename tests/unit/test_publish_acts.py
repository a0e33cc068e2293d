"""What people do with releases: pin, remove, publish despite a check, each by name and reason."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import duckdb
import publishing
import pytest

from orchestration.errors import JourneylineError
from orchestration.gate.operator import Operator
from orchestration.publish import journal
from orchestration.publish.publisher import publish
from orchestration.publish.releases import list_releases, rollback, show_release, verify_release
from orchestration.publish.retention import PAST_AGE, PAST_COUNT, collect, pin, unpin
from orchestration.settings import Settings


@pytest.fixture(scope="module")
def published_four(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = publishing.make_home(tmp_path_factory.mktemp("four"))
    for number in range(4):
        publish(settings, f"run-{number}", now=lambda n=number: NIGHT(n))
        publishing.add_night(settings, number + 1)
    return settings


def NIGHT(number: int):
    return publishing.NOW + timedelta(days=number)


@pytest.fixture
def four(published_four: Settings, tmp_path: Path) -> Settings:
    return publishing.copy_home(published_four, tmp_path)


def ids(settings: Settings) -> list[str]:
    """Kept releases, oldest first."""
    return [release.release_id for release in reversed(list_releases(settings))]


def bound(settings: Settings, **bounds: object) -> None:
    """Change releases.yml."""
    path = settings.config / "releases.yml"
    lines = [
        line
        for line in path.read_text().splitlines()
        if line.split(":")[0] not in bounds and not line.startswith("#")
    ]
    lines += [f"{name}: {value}" for name, value in bounds.items()]
    path.write_text("\n".join(lines) + "\n")


def test_retention_by_count_keeps_the_newest_the_pinned_and_the_one_before(four: Settings) -> None:
    first, second, third, fourth = ids(four)
    bound(four, keep_count=1)
    pin(four, first, by="ada", reason="figures of the annual report")
    assert collect(four, dry_run=True, now=lambda: NIGHT(4)).removed == {second: PAST_COUNT}
    assert len(ids(four)) == 4
    report = collect(four, now=lambda: NIGHT(4))
    assert (report.removed, report.kept) == ({second: PAST_COUNT}, 3)
    assert report.freed_bytes > 0
    assert ids(four) == [first, third, fourth]
    # What the removed release shared by hard links is still there.
    assert [verify_release(four, name).release_id for name in ids(four)] == ids(four)
    unpin(four, first, by="ada", reason="published elsewhere")
    assert collect(four, now=lambda: NIGHT(4)).removed == {first: PAST_COUNT}
    assert [a["act"] for a in journal.read_acts(four)][4:] == ["pin", "collect", "unpin", "collect"]


def test_retention_by_age_keeps_what_is_served_and_the_one_before(four: Settings) -> None:
    first, second, third, fourth = ids(four)
    bound(four, keep_days=1)
    removed = collect(four, now=lambda: NIGHT(60)).removed
    assert removed == {first: PAST_AGE, second: PAST_AGE}
    assert ids(four) == [third, fourth]
    assert rollback(four, by="ada", reason="test").release_id == third


def test_a_collection_that_died_is_finished_by_the_next_act(four: Settings) -> None:
    first, second, third, fourth = ids(four)
    act = {"act": journal.COLLECT, "release_ids": [first, second], "at": "2026-01-09T00:00:00Z"}
    journal.append_act(four, act)
    publish(four, "run-5")
    assert [name for name in ids(four) if name in (first, second)] == []
    assert third in ids(four) and fourth in ids(four)


def test_a_rollback_past_what_was_removed_goes_to_the_newest_older_release(four: Settings) -> None:
    first, second, third, _ = ids(four)
    act = {"act": journal.COLLECT, "release_ids": [third], "at": "2026-01-09T00:00:00Z"}
    journal.append_act(four, act)
    assert rollback(four, by="ada", reason="test").release_id == second
    assert rollback(four, by="ada", reason="test").release_id == first


def test_a_pin_needs_a_reason_and_a_release(four: Settings) -> None:
    for release_id, reason in ((None, " "), ("nope", "because")):
        with pytest.raises(JourneylineError) as raised:
            pin(four, release_id, by="ada", reason=reason)
        assert raised.value.exit_code == 2
    assert pin(four, None, by="ada", reason="a").changed
    assert pin(four, None, by="ada", reason="b").changed is False


def test_a_bound_that_cannot_be_names_its_line(four: Settings) -> None:
    bound(four, keep_count=0)
    with pytest.raises(JourneylineError, match="keep_count") as raised:
        collect(four)
    assert raised.value.exit_code == 2
    assert "releases.yml:" in raised.value.where


BREAK = (
    "update journey.fct_touchpoints set direction = 'sideways' where touchpoint_id = 't1'; "
    "update journey.fct_touchpoints set handling_seconds = -1 where touchpoint_id = 't2'"
)
CHECKS = ("fct_touchpoints.direction.in_set", "fct_touchpoints.handling_seconds.in_range")


def test_a_failing_audit_is_published_only_by_name_and_reason_and_says_so(tmp_path: Path) -> None:
    settings = publishing.make_home(tmp_path)
    publish(settings, "run-1")
    before = settings.current.resolve()
    publishing.change(settings, BREAK)
    with pytest.raises(JourneylineError) as raised:
        publish(settings, "run-2", operator=Operator("ada", "known", CHECKS[:1]))
    assert raised.value.exit_code == 3
    assert CHECKS[1] in str(raised.value) and CHECKS[0] not in str(raised.value)
    assert settings.current.resolve() == before
    report = publish(settings, "run-3", operator=Operator("ada", "the board waits", CHECKS))
    assert report.published
    act = journal.read_acts(settings)[-1]
    assert (act["by"], act["reason"], act["despite"]) == ("ada", "the board waits", list(CHECKS))
    release = show_release(settings)
    assert release["operator"] == {
        "by": "ada",
        "reason": "the board waits",
        "despite": list(CHECKS),
    }
    with duckdb.connect(str(settings.current / "journeyline.duckdb"), read_only=True) as connection:
        assert connection.execute(
            "select published_by, published_reason, published_despite from _release"
        ).fetchall() == [("ada", "the board waits", ", ".join(CHECKS))]
        assert connection.execute(
            "select check_name, failing_count from _checks where verdict = 'overridden' order by 1"
        ).fetchall() == [(CHECKS[0], 1), (CHECKS[1], 1)]


def test_a_check_that_does_not_fail_cannot_be_overridden(tmp_path: Path) -> None:
    settings = publishing.make_home(tmp_path)
    for name in ("fct_touchpoints.direction.in_set", "no.such.check"):
        with pytest.raises(JourneylineError, match="No check of that name fails") as raised:
            publish(settings, "run-1", operator=Operator("ada", "why not", (name,)))
        assert raised.value.exit_code == 2
    assert not settings.current.exists()


def test_nobody_publishes_by_hand_without_a_name_and_a_reason() -> None:
    for by, reason in (("", "why"), ("ada", "  ")):
        with pytest.raises(JourneylineError) as raised:
            Operator(by, reason)
        assert raised.value.exit_code == 2


def test_a_person_ends_a_rollback_with_hold(four: Settings) -> None:
    rollback(four, by="ada", reason="look first", hold=True)
    assert not publish(four, "run-5").published
    assert publish(four, "run-6", operator=Operator("ada", "looked", ())).published
    assert json.loads((four.current / "manifest.json").read_text())["operator"]["by"] == "ada"
