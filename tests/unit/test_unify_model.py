"""The trained matcher: one definition for training and scoring, whole weights, a file proved."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestration.errors import JourneylineError
from orchestration.settings import REPO_ROOT, Settings
from orchestration.unify.comparisons import COMPARISONS, splink_condition
from orchestration.unify.fuzzy_macros import MACRO, macro_text
from orchestration.unify.model import (
    LevelProbabilities,
    level_weights,
    load_model,
    term_weights,
    threshold_of,
    weight_of,
)
from orchestration.unify.rules import load_identity_rules
from orchestration.unify.splink_form import supposed_levels, told_or_supposed

PROJECT = Settings(home=Path("unused"), repo_root=REPO_ROOT)


def _shipped() -> Path:
    fuzzy = load_identity_rules(PROJECT).probabilistic
    assert fuzzy is not None
    return PROJECT.config / fuzzy.model


def test_the_macro_is_what_the_comparisons_say() -> None:
    told = "run `journeyline identity macros`"
    assert (PROJECT.dbt_project / MACRO).read_text(encoding="utf-8") == macro_text(), told


def test_levels_are_numbered_as_splink_numbers_them() -> None:
    for comparison in COMPARISONS:
        numbers = [level.number for level in comparison.levels if level.number >= 0]
        assert numbers == list(range(len(numbers) - 1, -1, -1)), comparison.name
        assert [level.condition == "" for level in comparison.levels].count(True) == 1
        assert comparison.levels[-1].condition == ""


def test_the_shipped_matcher_fits_and_weighs_every_level() -> None:
    model = load_model(_shipped())
    weights = level_weights(model)
    assert [(name, number) for name, number, _, _ in weights] == [
        (comparison.name, level.number)
        for comparison in COMPARISONS
        for level in comparison.levels
        if level.number >= 0
    ]
    by_label = {label: weight for _, _, label, weight in weights}
    for more, less in [
        ("same first name", "other first name"),
        ("same last name", "last names nearly the same"),
        ("same street and house number", "other street"),
        ("same date of birth", "other date of birth"),
        ("same phone number", "other phone number"),
        ("same country", "other country"),
        ("entered within 3 days", "entered at other times"),
    ]:
        assert by_label[more] > 0
        assert by_label[more] > by_label[less]
    assert len(term_weights(model)) > 100


def test_an_outcome_that_no_pair_shows_keeps_the_weight_training_begins_with() -> None:
    street = next(each for each in COMPARISONS if each.name == "street")
    supposed = supposed_levels(street)
    unseen = {n: LevelProbabilities(m=0.002, u=found.u) for n, found in supposed.items()}
    assert told_or_supposed(street, unseen, supposed) == supposed
    seen = {**supposed, 4: LevelProbabilities(m=0.002, u=0.3)}
    assert told_or_supposed(street, {**unseen, 4: seen[4]}, seen) == seen


def test_weights_are_whole_thousandths_of_a_bit() -> None:
    assert weight_of(8) == 3000
    assert weight_of(1 / 3) == -1585
    assert threshold_of(0.5) == 0
    assert threshold_of(0.99) == 6629


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"comparisons_hash": "0"}, "other comparisons"),
        ({"model_format": 0}, "other comparisons"),
        ({"prior_probability": 2}, "not valid"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(
    tmp_path: Path, change: dict[str, object], said: str
) -> None:
    path = tmp_path / "model.json"
    path.write_text(json.dumps({**json.loads(_shipped().read_text("utf-8")), **change}), "utf-8")
    with pytest.raises(JourneylineError, match=said) as caught:
        load_model(path)
    assert caught.value.exit_code == 2
    with pytest.raises(JourneylineError, match="missing"):
        load_model(tmp_path / "nowhere.json")


def test_conditions_take_the_names_of_splink() -> None:
    assert splink_condition("l.phone = r.phone") == "phone_l = phone_r"
