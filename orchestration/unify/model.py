"""The trained matcher: a versioned file of probabilities and frequencies, and its weights.

Belongs here: reading and proving the file, and turning it into whole thousandths of a bit, so
that sums and thresholds are the same on every machine. Training is `training`.
"""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.unify.comparisons import COMPARISONS
from orchestration.unify.fuzzy_macros import macro_text

MODEL_FORMAT = 1
UNITS_PER_BIT = 1000


class LevelProbabilities(BaseModel):
    """How often an outcome is seen among one person's records, and among strangers'."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    m: float = Field(gt=0, le=1)
    u: float = Field(gt=0, le=1)


class TrainedModel(BaseModel):
    """The file that `journeyline identity train` writes.

    Args:
        model_format: Format of the file.
        comparisons_hash: Hash of the comparisons that it was trained for.
        trained_on: Records it was trained on.
        prior_probability: That two records taken at random are one person's.
        levels: Probabilities by comparison and level.
        terms: Share of the records that bear a value, by comparison; frequent values only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    model_format: int
    comparisons_hash: str
    trained_on: int = Field(ge=1)
    prior_probability: float = Field(gt=0, lt=1)
    levels: dict[str, dict[int, LevelProbabilities]]
    terms: dict[str, dict[str, float]] = {}


def comparisons_hash() -> str:
    """Changes whenever a trained file no longer fits the comparisons."""
    return hashlib.sha256(macro_text().encode()).hexdigest()[:16]


def load_model(path: Path) -> TrainedModel:
    """Read and prove a trained file.

    Raises:
        JourneylineError: The file is missing, not valid, or was trained for other comparisons.
    """
    try:
        model = TrainedModel.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise JourneylineError(
            "The trained matcher is missing.",
            str(path),
            "Train one (`journeyline identity train`), or leave `probabilistic` out of "
            "identity.yml.",
            EXIT_USAGE,
        ) from error
    except (ValueError, ValidationError) as error:
        raise JourneylineError(
            f"The trained matcher is not valid: {str(error).splitlines()[0]}",
            str(path),
            "Restore it, or train a new one: `journeyline identity train`.",
            EXIT_USAGE,
        ) from error
    if model.model_format != MODEL_FORMAT or model.comparisons_hash != comparisons_hash():
        raise JourneylineError(
            "The trained matcher was trained for other comparisons.",
            str(path),
            "Train a new one: `journeyline identity train`.",
            EXIT_USAGE,
        )
    return model


def weight_of(ratio: float) -> int:
    """log2 of a ratio, in whole thousandths of a bit (Fellegi and Sunter 1969)."""
    return round(UNITS_PER_BIT * math.log2(ratio))


def threshold_of(probability: float) -> int:
    """The weight at which a pair is one person's with this probability."""
    return weight_of(probability / (1 - probability))


def unlike_name_share(model: TrainedModel) -> float:
    """The share of one person's pairs of records whose first names are unlike."""
    return model.levels["first_name"][0].m


def level_weights(model: TrainedModel) -> list[tuple[str, int, str, int]]:
    """Rows (comparison, level, label, weight); what is not known weighs nothing and has no row."""
    return [
        (
            comparison.name,
            level.number,
            level.label,
            weight_of(
                model.levels[comparison.name][level.number].m
                / model.levels[comparison.name][level.number].u
            ),
        )
        for comparison in COMPARISONS
        for level in comparison.levels
        if level.number >= 0 and level.number in model.levels.get(comparison.name, {})
    ]


def term_weights(model: TrainedModel) -> list[tuple[str, str, int]]:
    """Rows (comparison, value, weight to add where both bear it)."""
    rows = []
    for comparison in COMPARISONS:
        for level in comparison.levels:
            if level.term is not None:
                usual = model.levels[comparison.name][level.number].u
                rows += [
                    (comparison.name, term, weight_of(usual / share))
                    for term, share in sorted(model.terms.get(comparison.name, {}).items())
                ]
    return rows
