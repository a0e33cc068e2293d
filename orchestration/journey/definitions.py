"""Journey definitions (`orchestration/config/journeys/*.yml`), proved.

Belongs here: what a definition may say. What it means is SQL (`int_journey_visits`).
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator

from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.proved_yaml import load_proved
from orchestration.settings import Settings

_NAME = r"^[a-z][a-z0-9_]*$"


class Stage(BaseModel):
    """A stage is entered at the n-th touchpoint of a type, counted from the journey's start.

    Args:
        stage: Name of the stage.
        touchpoint_type: Type of the touchpoint that leads into it.
        nth: Which of these touchpoints it takes, from 1.
        description: What it means to be in this stage.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    stage: str = Field(pattern=_NAME)
    touchpoint_type: str = Field(pattern=_NAME)
    nth: int = Field(default=1, ge=1, le=1000)
    description: str


class Journey(BaseModel):
    """A journey that each customer makes at most once.

    Args:
        journey: Name of the journey; the file bears it too.
        version: Version of this definition, from 1.
        description: The question it answers.
        entry_touchpoint_type: Its earliest touchpoint starts the journey.
        deadline_days: Days after the start at which an instance that has not reached its goal ends.
        goal_stage: The stage that ends the journey as `converted`.
        stages: In their usual order; the first is the entry's own, the order settles ties.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    journey: str = Field(pattern=_NAME)
    version: int = Field(ge=1)
    description: str
    entry_touchpoint_type: str = Field(pattern=_NAME)
    deadline_days: int = Field(ge=1, le=3650)
    goal_stage: str
    stages: list[Stage] = Field(min_length=2)

    @model_validator(mode="after")
    def _stages_fit(self) -> Journey:
        names = [stage.stage for stage in self.stages]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"stage {twice[0]!r} is listed twice; name every stage once")
        if self.goal_stage not in names:
            raise ValueError(f"goal_stage {self.goal_stage!r} is none of {', '.join(names)}")
        first = self.stages[0]
        if first.touchpoint_type != self.entry_touchpoint_type or first.nth != 1:
            raise ValueError(
                f"the first stage {first.stage!r} has to be entered at the first "
                f"{self.entry_touchpoint_type!r}, the entry_touchpoint_type"
            )
        if first.stage == self.goal_stage:
            raise ValueError("goal_stage is the first stage; a journey needs a way to go")
        return self


def load_journeys(settings: Settings) -> list[Journey]:
    """Read and prove every journey definition, ordered by name.

    Raises:
        JourneylineError: There is none, or one of them is not valid (file, line, field).
    """
    folder = settings.config / "journeys"
    paths = sorted(folder.glob("*.yml"))
    if not paths:
        raise JourneylineError(
            "There is no journey definition.",
            str(folder),
            "Restore trial_to_paid.yml or write one like it.",
            EXIT_USAGE,
        )
    journeys = []
    for path in paths:
        journey = load_proved(path, Journey)
        if journey.journey != path.stem:
            raise JourneylineError(
                f"The journey {journey.journey!r} stands in a file of another name.",
                str(path),
                f"Name the file {journey.journey}.yml.",
                EXIT_USAGE,
            )
        journeys.append(journey)
    return journeys
