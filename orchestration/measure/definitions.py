"""KPI definitions (`orchestration/config/kpis.yml`), proved.

Belongs here: names, targets, bounds and how units add up to a value. Which unit counts for which
KPI is SQL (`dbt_project/models/measure/units`).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from orchestration.proved_yaml import load_proved
from orchestration.settings import Settings

# Every KPI whose units a dbt model counts: one of another name would have no values.
KNOWN_KPIS = (
    "trial_conversion_share",
    "time_to_convert_days",
    "activation_share",
    "churn_share",
    "first_response_hours",
    "nps",
    "csat_share",
    "email_open_share",
    "email_click_share",
)


class Bounds(BaseModel):
    """A monthly value over everything outside of these bounds is refused by the gate.

    Args:
        minimum: Lowest believable value, in the KPI's unit.
        maximum: Highest believable value, in the KPI's unit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    minimum: Decimal
    maximum: Decimal

    @model_validator(mode="after")
    def _are_ordered(self) -> Bounds:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is above maximum {self.maximum}")
        return self


class Kpi(BaseModel):
    """One KPI.

    Args:
        kpi: Its name.
        description: The question it answers.
        formula: In words, from the units it counts.
        unit: Of value, target and bounds.
        direction: Whether more or less of it is better.
        aggregate: `share` is numerator by denominator, `median` the middle measured value.
        scale: The aggregate is multiplied by this (100 for points).
        target: To be reached each period.
        owner: Who answers for it.
        bounds: What the gate believes.
        kinds: Kinds of the sources (`sources.yml`) whose rows it counts; none means all. A period
            that began before rows of one of them went by age is left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    kpi: str
    description: str
    formula: str
    unit: Literal["share", "days", "hours", "points"]
    direction: Literal["up", "down"]
    aggregate: Literal["share", "median"]
    scale: int = Field(default=1, ge=1)
    target: Decimal
    owner: str
    bounds: Bounds
    kinds: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _is_known(self) -> Kpi:
        if self.kpi not in KNOWN_KPIS:
            raise ValueError(f"kpi {self.kpi!r} is none of {', '.join(KNOWN_KPIS)}")
        if self.unit == "share" and not (0 <= self.target <= 1):
            raise ValueError(f"target {self.target} of a share has to be between 0 and 1")
        return self


class KpiFile(BaseModel):
    """`kpis.yml`.

    Args:
        kpis: Each KPI once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    kpis: list[Kpi] = Field(min_length=1)

    @model_validator(mode="after")
    def _are_unique(self) -> KpiFile:
        names = [kpi.kpi for kpi in self.kpis]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"kpi {twice[0]!r} is listed twice; list it once")
        return self


def load_kpis(settings: Settings) -> list[Kpi]:
    """Read and prove `orchestration/config/kpis.yml`.

    Raises:
        JourneylineError: The file is missing or not valid (file, line, field).
    """
    return load_proved(settings.config / "kpis.yml", KpiFile).kpis
