"""Audience definitions (`orchestration/config/audiences.yml`), proved.

Belongs here: what an audience may say. Whom it holds is SQL (`dbt_project/models/decide`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.journey.definitions import Journey, load_journeys
from orchestration.proved_yaml import line_of, load_proved
from orchestration.settings import Settings

_NAME = r"^[a-z][a-z0-9_]*$"
Name = Annotated[str, Field(pattern=_NAME)]
Days = Annotated[int, Field(ge=0, le=3650)]
Window = Annotated[int, Field(ge=1, le=3650)]

# Columns of dim_customers that a condition may ask for; int_audience_matches reads the same ones.
AttributeName = Literal[
    "country", "jurisdiction", "language", "plan", "job_role", "industry", "lifecycle_stage"
]


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class InStage(_Fact):
    """An open instance of the journey has been in the stage for at least that many days.

    Args:
        journey: Name of a journey.
        stage: One of its stages, but not its goal.
        at_least_days: Days since the stage was entered; exactly so many are enough.
    """

    journey: Name
    stage: Name
    at_least_days: Days


class JourneyOutcome(_Fact):
    """An instance of the journey ended so.

    Args:
        journey: Name of a journey.
        outcome: How it ended.
        within_days: It ended less than so many days ago; whenever it ended where not given.
    """

    journey: Name
    outcome: Literal["converted", "expired"]
    within_days: Window | None = None


class NoTouchpoint(_Fact):
    """Nothing happened, counted from when the customer was first seen where nothing ever did.

    Args:
        for_days: Days since the last one; exactly so many are enough.
        touchpoint_type: Touchpoints of this type; all that the customer set off where not given.
    """

    for_days: Window
    touchpoint_type: Name | None = None


class HadTouchpoint(_Fact):
    """Something happened, and nothing that would answer it has happened since.

    Args:
        touchpoint_type: Its type.
        within_days: The last one is less than so many days old.
        error_code: Only those with this error.
        not_followed_by: Types of which none came after it.
    """

    touchpoint_type: Name
    within_days: Window
    error_code: str | None = None
    not_followed_by: tuple[Name, ...] = ()


class Attribute(_Fact):
    """The customer's profile says so.

    Args:
        attribute: A column of `dim_customers`.
        is_one_of: The values that count, as they are written there.
    """

    attribute: AttributeName
    is_one_of: tuple[str, ...] = Field(min_length=1)


class Condition(_Fact):
    """Exactly one of the kinds of conditions."""

    in_stage: InStage | None = None
    journey_outcome: JourneyOutcome | None = None
    no_touchpoint: NoTouchpoint | None = None
    had_touchpoint: HadTouchpoint | None = None
    attribute: Attribute | None = None

    @model_validator(mode="after")
    def _is_one_kind(self) -> Condition:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            kinds = ", ".join(type(self).model_fields)
            raise ValueError(f"a condition is one of {kinds}; write each as an item of its own")
        return self


class Audience(_Fact):
    """Customers for whom all conditions hold.

    Args:
        audience: Its name.
        description: Who they are, in words.
        owner: Who answers for it and for what is sent to it.
        channel: How they are to be reached; its consent decides who may be.
        conditions: All of them have to hold.
    """

    audience: Name
    description: str
    owner: str
    channel: Literal["email", "push"]
    conditions: tuple[Condition, ...] = Field(min_length=1)


class AudienceFile(_Fact):
    """`audiences.yml`.

    Args:
        audiences: Each audience once.
    """

    audiences: tuple[Audience, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _are_unique(self) -> AudienceFile:
        names = [audience.audience for audience in self.audiences]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"audience {twice[0]!r} is listed twice; list it once")
        return self


def load_audiences(settings: Settings) -> tuple[Audience, ...]:
    """Read and prove `audiences.yml`, its journeys and stages included.

    Raises:
        JourneylineError: The file is missing, not valid, or speaks of a journey or stage that
            there is not (file, line, field).
    """
    path = settings.config / "audiences.yml"
    audiences = load_proved(path, AudienceFile).audiences
    journeys = load_journeys(settings)
    for number, audience in enumerate(audiences):
        for place, condition in enumerate(audience.conditions):
            where = ("audiences", number, "conditions", place)
            _prove_journey(path, where, condition, journeys)
    return audiences


def _prove_journey(
    path: Path, where: tuple[int | str, ...], condition: Condition, journeys: Sequence[Journey]
) -> None:
    asked = condition.in_stage or condition.journey_outcome
    if asked is None:
        return
    kind = "in_stage" if condition.in_stage else "journey_outcome"
    known = {journey.journey: journey for journey in journeys}
    if asked.journey not in known:
        names = ", ".join(sorted(known))
        raise _refused(path, (*where, kind, "journey"), f"{asked.journey!r} is none of {names}")
    if not isinstance(asked, InStage):
        return
    journey = known[asked.journey]
    stages = [s.stage for s in journey.stages if s.stage != journey.goal_stage]
    if asked.stage not in stages:
        names = ", ".join(stages)
        raise _refused(path, (*where, kind, "stage"), f"{asked.stage!r} is none of {names}")
    if asked.at_least_days >= journey.deadline_days:
        raise _refused(
            path,
            (*where, kind, "at_least_days"),
            f"{asked.at_least_days} days are never reached: {journey.journey} expires after "
            f"{journey.deadline_days}",
        )


def _refused(path: Path, location: tuple[int | str, ...], what: str) -> JourneylineError:
    field = ".".join(str(part) for part in location)
    line = line_of(path.read_text(encoding="utf-8"), location)
    return JourneylineError(
        f"{path.name} is not valid: {field}: {what}",
        f"{path}:{line}",
        "Correct the field; docs/audiences.md says what a condition may say.",
        EXIT_USAGE,
    )
