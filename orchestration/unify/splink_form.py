"""The comparisons in Splink's words, and what Splink found in ours.

Belongs here: settings for Splink, the probabilities that training begins with, and reading what
it estimated. What is learnt from which records is `training`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestration.unify.comparisons import COMPARISONS, Comparison, splink_condition
from orchestration.unify.model import LevelProbabilities, TrainedModel

# A level that one person never shows goes towards zero with each round; Splink ends at 1e-300.
_SMALLEST_M = 2e-3
_SMALLEST_U = 2e-4

# How many times as often training first supposes to see an outcome among one person's records as
# among strangers of the same name; what is not listed is as frequent. It stays so where no pair of
# the home shows the outcome: a later source may.
_STARTS = {
    "same e-mail address": 64,
    "e-mail addresses differ by a number": 1 / 4,
    "e-mail addresses nearly the same": 16,
    "same mailbox name elsewhere": 1 / 4,
    "same phone number": 64,
    "other phone number": 1 / 8,
    "same postal code and city": 16,
    "same postal code": 4,
    "same city": 4,
    "cities or postal codes nearly the same": 2,
    "other country": 1 / 16,
    "other city or postal code": 1 / 8,
    "same country": 4,
    "same street and house number": 64,
    "streets nearly the same, same house number": 32,
    "same street": 4,
    "streets nearly the same": 2,
    "other street": 1 / 8,
    "same date of birth": 64,
    "dates of birth one digit apart": 8,
    "other date of birth": 1 / 16,
    "same company": 16,
    "other company": 1 / 8,
    "entered within 3 days": 16,
    "entered within 30 days": 4,
    "entered at other times": 1 / 8,
    "records of different lists": 2,
    "records of one list": 1 / 4,
}

# Whose frequencies among strangers depend on the name that they share: a mailbox is named after it.
_NAMED_AFTER = {
    "e-mail addresses differ by a number",
    "same mailbox name elsewhere",
    "other e-mail address",
}

Levels = dict[str, dict[int, LevelProbabilities]]
Found = dict[int, tuple[float | str | None, float | str | None]]


def splink_settings(
    model: TrainedModel | None = None, *, strangers: Levels | None = None, **more: Any
) -> dict[str, Any]:
    """The comparisons as Splink's settings.

    Args:
        model: Whose probabilities to take; None for what training starts from.
        strangers: Leave out the names, and take from here what strangers share by chance.
        **more: Further settings.
    """
    comparisons = [each for each in COMPARISONS if each.given_name or strangers is None]
    return {
        "link_type": "dedupe_only",
        "unique_id_column_name": "unique_id",
        "comparisons": [_splink_comparison(each, model, strangers) for each in comparisons],
        **({"probability_two_random_records_match": model.prior_probability} if model else {}),
        **more,
    }


def supposed_levels(comparison: Comparison) -> dict[int, LevelProbabilities]:
    """The probabilities that training begins with."""
    numbers = {level.number: level.label for level in comparison.levels if level.number >= 0}
    starts = {number: _STARTS.get(label, 1.0) for number, label in numbers.items()}
    total = sum(start**0.5 for start in starts.values())
    inverse = sum(start**-0.5 for start in starts.values())
    return {
        number: LevelProbabilities(
            m=_digits(start**0.5 / total, _SMALLEST_M),
            u=_digits(start**-0.5 / inverse, _SMALLEST_U),
        )
        for number, start in starts.items()
    }


def told_or_supposed(
    comparison: Comparison,
    told: dict[int, LevelProbabilities],
    strangers: dict[int, LevelProbabilities],
) -> dict[int, LevelProbabilities]:
    """What was learnt of each outcome; what training began with where no pair showed it.

    Splink leaves the probability of an outcome that it never meets as it was given, and one
    person's share of it falls to nothing: taken as learnt, that would count against every pair
    that shows it later.
    """
    supposed = supposed_levels(comparison)
    return {
        number: (
            supposed[number]
            if found.m <= _SMALLEST_M and strangers[number].u == supposed[number].u
            else found
        )
        for number, found in told.items()
    }


def saved_levels(saved: Mapping[str, Any]) -> dict[str, Found]:
    """m and u by comparison and level, out of Splink's settings as JSON."""
    return {
        comparison["output_column_name"]: {
            number: (level.get("m_probability"), level.get("u_probability"))
            for number, level in _numbered(comparison["comparison_levels"])
        }
        for comparison in saved["comparisons"]
    }


def _numbered(levels: list[dict[str, Any]]) -> list[tuple[int, dict[str, Any]]]:
    told = [level for level in levels if not level.get("is_null_level")]
    return [(len(told) - 1 - place, level) for place, level in enumerate(told)]


def session_levels(session: Any) -> dict[str, Found]:
    """m and u by comparison and level, out of one of Splink's training sessions."""
    return {
        comparison.output_column_name: {
            level.comparison_vector_value: (level.m_probability, level.u_probability)
            for level in comparison.comparison_levels
            if not level.is_null_level
        }
        for comparison in session.core_model_settings.comparisons
    }


def proved_levels(found: Mapping[str, Found]) -> Levels:
    """Six digits of each; what was never seen has the smallest probability, not none."""
    return {
        name: {
            number: LevelProbabilities(m=_digits(m, _SMALLEST_M), u=_digits(u, _SMALLEST_U))
            for number, (m, u) in levels.items()
        }
        for name, levels in found.items()
    }


def _digits(value: float | str | None, smallest: float) -> float:
    number = value if isinstance(value, float) else smallest
    return float(f"{min(max(number, smallest), 1.0):.6g}")


def _splink_comparison(
    comparison: Comparison, model: TrainedModel | None, strangers: Levels | None
) -> dict[str, Any]:
    levels = []
    for level in comparison.levels:
        said: dict[str, Any] = {
            "sql_condition": splink_condition(level.condition) or "ELSE",
            "label_for_charts": level.label,
        }
        if level.number < 0:
            said["is_null_level"] = True
        elif model is not None:
            found = model.levels[comparison.name][level.number]
            said |= {"m_probability": found.m, "u_probability": found.u}
        elif comparison.given_name:
            start = supposed_levels(comparison)[level.number]
            said |= {"m_probability": start.m, "u_probability": start.u}
            if strangers is not None and level.label not in _NAMED_AFTER:
                found = strangers[comparison.name][level.number]
                said |= {"u_probability": found.u, "fix_u_probability": True}
        if level.term is not None:
            said |= {"tf_adjustment_column": level.term, "tf_adjustment_weight": 1.0}
        levels.append(said)
    return {"output_column_name": comparison.name, "comparison_levels": levels}
