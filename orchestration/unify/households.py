"""Who lives with whom, as `identity.yml` says it. What the rules do is SQL (`unify/households`)."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

SharedAttribute = Literal["phone", "last_name", "postal_code", "country"]


class HouseholdRule(BaseModel):
    """People who share all of these live together; one value alone is no household.

    Args:
        rule: Name of the rule; it stands beside every member whom it ties.
        shares: What the latest version of a record of each has to say alike.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    rule: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    shares: list[SharedAttribute] = Field(min_length=2)


class Households(BaseModel):
    """Who lives with whom: a level above customers, which merges nobody.

    Args:
        size_cap: People that a household may hold; what more people share is no household's.
        rules: Household rules, most trusted first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    size_cap: int = Field(ge=2, le=100)
    rules: list[HouseholdRule] = []

    @field_validator("rules")
    @classmethod
    def _named_once(cls, value: list[HouseholdRule]) -> list[HouseholdRule]:
        names = [rule.rule for rule in value]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"household rule {twice[0]!r} stands there twice")
        return value
