"""The audience file: proved at load, with errors that say where and what."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import get_args

import pytest
import yaml

from orchestration import warehouse
from orchestration.decide.config_tables import audience_rows, in_words, write_audience_tables
from orchestration.decide.definitions import AttributeName, Condition, load_audiences
from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.settings import REPO_ROOT, Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A project with a copy of the configuration, and an empty home."""
    shutil.copytree(REPO_ROOT / "orchestration/config", tmp_path / "project/orchestration/config")
    home = tmp_path / "home"
    home.mkdir()
    return Settings(home=home, repo_root=tmp_path / "project")


def _edit(settings: Settings, old: str, new: str) -> int:
    """Replace a text that stands once; gives its line."""
    path = settings.config / "audiences.yml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return text[: text.index(old)].count("\n") + 1


def _refused(settings: Settings) -> JourneylineError:
    with pytest.raises(JourneylineError) as caught:
        load_audiences(settings)
    assert caught.value.exit_code == EXIT_USAGE
    return caught.value


def test_the_audiences_of_the_project_hold() -> None:
    audiences = load_audiences(Settings(home=Path("/nonexistent")))
    assert len(audiences) >= 4
    assert {"email", "push"} == {audience.channel for audience in audiences}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("journey: trial_to_paid, stage: trial", "journey: trial, stage: trial", "none of trial"),
        ("stage: trial, at", "stage: start, at", "none of trial, activated, checkout"),
        ("stage: trial, at", "stage: paid, at", "'paid' is none of trial, activated, checkout"),
        ("at_least_days: 7", "at_least_days: 30", "never reached: trial_to_paid expires after 30"),
        ("at_least_days: 7", "at_least_days: -1", "at_least_days"),
        ("at_least_days: 7", "days: 7", "in_stage"),
        ("for_days: 10", "for_days: 0", "no_touchpoint.for_days"),
        ("within_days: 60", "within_days: soon", "had_touchpoint.within_days"),
        ("attribute: plan", "attribute: shoe_size", "attribute.attribute"),
        ("is_one_of: [team, business]", "is_one_of: []", "attribute.is_one_of"),
        ("is_one_of: [team, business]", "is_one_of: [NO]", "attribute.is_one_of"),
        ("outcome: expired", "outcome: lost", "journey_outcome.outcome"),
        ("channel: push", "channel: fax", "audiences.4.channel"),
        ("- no_touchpoint: {for", "- no_message: {for", "conditions.1.no_message"),
    ],
)
def test_a_wrong_audience_names_line_and_field(
    settings: Settings, old: str, new: str, message: str
) -> None:
    line = _edit(settings, old, new)
    error = _refused(settings)
    assert message in error.what
    assert error.where == f"{settings.config / 'audiences.yml'}:{line}"


def test_a_condition_is_one_kind_alone(settings: Settings) -> None:
    line = _edit(settings, "      - no_touchpoint: {for", "        no_touchpoint: {for")
    error = _refused(settings)
    assert "a condition is one of in_stage, journey_outcome, no_touchpoint" in error.what
    assert error.where.endswith(f":{line - 1}")


def test_an_audience_is_listed_once(settings: Settings) -> None:
    _edit(settings, "audience: lapsed_payers", "audience: trials_waiting_to_start")
    assert "'trials_waiting_to_start' is listed twice" in _refused(settings).what


def test_a_journey_that_was_renamed_takes_its_audiences_with_it(settings: Settings) -> None:
    path = settings.config / "journeys/trial_to_paid.yml"
    text = path.read_text(encoding="utf-8").replace("journey: trial_to_paid", "journey: trying")
    path.with_name("trying.yml").write_text(text, encoding="utf-8")
    path.unlink()
    assert "'trial_to_paid' is none of trying" in _refused(settings).what


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (
            "in_stage: {journey: way, stage: trial, at_least_days: 7}",
            "in stage trial of way for at least 7 days",
        ),
        ("journey_outcome: {journey: way, outcome: expired}", "way expired"),
        (
            "journey_outcome: {journey: way, outcome: expired, within_days: 9}",
            "way expired within 9 days",
        ),
        ("no_touchpoint: {for_days: 14}", "no touchpoint of the customer's own for 14 days"),
        (
            "no_touchpoint: {for_days: 14, touchpoint_type: call_held}",
            "no call_held for 14 days",
        ),
        (
            "had_touchpoint: {touchpoint_type: a, error_code: E, within_days: 3, "
            "not_followed_by: [b, c]}",
            "a with E within 3 days and no b or c since",
        ),
        ("attribute: {attribute: plan, is_one_of: [team]}", "plan is team"),
    ],
)
def test_a_condition_is_told_in_words(condition: str, words: str) -> None:
    assert in_words(Condition.model_validate(yaml.safe_load(condition))) == words


def test_tables_hold_what_the_file_says(settings: Settings) -> None:
    write_audience_tables(settings)
    write_audience_tables(settings)
    expected = audience_rows(load_audiences(settings))
    connection = warehouse.connect(settings.warehouse, read_only=True)
    for name, rows in expected.items():
        found = connection.execute(f"select * from config.{name}").fetchall()
        assert rows and sorted(map(str, found)) == sorted(map(str, rows))
    (waiting,) = connection.execute(
        "select * from config.audience_conditions where audience = 'trials_waiting_to_start'"
    ).fetchall()
    connection.close()
    assert waiting == (
        "trials_waiting_to_start", "in_stage", "trial_to_paid", "trial", None, None, None, None,
        1, 7,
    )  # fmt: skip


def test_a_wrong_file_leaves_the_tables_alone(settings: Settings) -> None:
    write_audience_tables(settings)
    _edit(settings, "channel: push", "channel: fax")
    with pytest.raises(JourneylineError, match="channel"):
        write_audience_tables(settings)
    connection = warehouse.connect(settings.warehouse, read_only=True)
    found = connection.execute("select count(*) from config.audiences where channel = 'push'")
    assert found.fetchone() == (1,)
    connection.close()


def test_every_attribute_that_may_be_asked_for_is_read_by_the_model() -> None:
    model = "dbt_project/models/decide/conditions/int_attribute_matches.sql"
    listed = re.search(r"attributes = \[(.*?)\]", (REPO_ROOT / model).read_text(), re.DOTALL)
    assert listed is not None
    assert tuple(re.findall(r"'(\w+)'", listed[1])) == get_args(AttributeName)
