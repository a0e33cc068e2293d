"""`identity.yml` as facts: match rules, blocked values, names that are one name.

Belongs here: reading the file and proving that it can mean what it says. Writing it as tables is
`config_tables`; what the rules do is SQL (`dbt_project/models/unify/records`).
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from orchestration.proved_yaml import load_proved
from orchestration.settings import Settings
from orchestration.unify.households import Households
from orchestration.unify.normalising import NormaliserSettings

Guard = Literal["none", "names_do_not_conflict", "names_match", "names_equal"]

# What the SQL of each rule can do; a rule on an own type of identifier has a name of its own.
_KNOWN_RULES = {
    "user_id": "user_id",
    "vendor_merge": "record_id",
    "email": "email",
    "phone_and_name": "phone",
    "name_and_domain": "company_domain",
}


RecordAttribute = Literal[
    "first_name",
    "last_name",
    "birth_date",
    "street",
    "house_number",
    "postal_code",
    "city",
    "country",
]


class MatchRule(BaseModel):
    """Records that share one value, or a combination of several, belong together, if the guard
    agrees.

    Args:
        rule: Name of the rule; it stands on every edge it makes.
        identifier_type: What has to be equal; not with `combination`.
        combination: What one version of each record has to say, and to say alike: a first name
            and at least two other attributes.
        fan_out_cap: Records that may share one value; a value shared by more links nobody.
        guard: What the names of the two records have to say.
        enabled: Whether the rule makes edges.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    rule: str
    identifier_type: str | None = None
    combination: tuple[RecordAttribute, ...] = ()
    fan_out_cap: int = Field(ge=2, le=1000)
    guard: Guard
    enabled: bool = True

    @property
    def compares(self) -> str:
        """The type of identifier, or the rule itself where it compares a combination."""
        return self.identifier_type or self.rule

    @model_validator(mode="after")
    def _compares_one_thing(self) -> MatchRule:
        if (self.identifier_type is None) == (not self.combination):
            raise ValueError(f"rule {self.rule!r} needs identifier_type or combination, not both")
        return self

    @field_validator("combination")
    @classmethod
    def _tells_persons_apart(
        cls, value: tuple[RecordAttribute, ...]
    ) -> tuple[RecordAttribute, ...]:
        if value and ("first_name" not in value or len(set(value)) < 3):
            raise ValueError(
                "a combination needs first_name, without which a family would be one person, and "
                "at least two other attributes"
            )
        if len(set(value)) != len(value):
            raise ValueError("an attribute stands in a combination twice")
        return value

    @model_validator(mode="after")
    def _is_known(self) -> MatchRule:
        expected = _KNOWN_RULES.get(self.rule)
        if self.combination:
            return self
        if expected is None and self.identifier_type in _KNOWN_RULES.values():
            raise ValueError(f"rule {self.rule!r} is none of {', '.join(_KNOWN_RULES)}")
        if expected not in (None, self.identifier_type):
            raise ValueError(f"rule {self.rule!r} compares {expected}, not {self.identifier_type}")
        return self


class OwnIdentifierType(BaseModel):
    """A type of identifier that the project does not bring along, such as a loyalty number.

    Args:
        identifier_type: Its name, which rules and blocked values use.
        normaliser: How its values are compared.
        held_by: Columns of source contracts that hold it, written `source.entity.column`. The
            table is one of records: it has one key column, and its staging model selects both.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    identifier_type: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    normaliser: Literal["email", "phone", "domain", "exact", "lower", "letters_and_digits"]
    held_by: list[Annotated[str, Field(pattern=r"^[a-z0-9_]+[.][a-z0-9_]+[.][a-z0-9_]+$")]] = Field(
        min_length=1
    )

    @field_validator("identifier_type")
    @classmethod
    def _is_new(cls, value: str) -> str:
        if value in _KNOWN_RULES.values():
            raise ValueError(f"{value!r} is a type that the project brings along")
        return value


class BlockedValue(BaseModel):
    """Values of a type that match a pattern say nothing about a person."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    identifier_type: str
    pattern: str
    reason: str

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"{value!r} is no regular expression: {error}") from error
        return value


class ClusterLimit(BaseModel):
    """At most so many values of an attribute in one cluster: the weakest link gives way.

    Args:
        limit: Name of the limit; it stands on every link that it refuses.
        attribute: `user_id`, `email`, `phone`, `birth_date`, `country`, `postal_code`, `record`
            (the size of the cluster), or `source/entity` (its records).
        at_most: Different values that one cluster may hold.
        refuses: Which links give way: all of them, or those of the probabilistic matcher alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    limit: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    attribute: str = Field(
        pattern=r"^(user_id|email|phone|birth_date|country|postal_code|record"
        r"|[a-z][a-z0-9_]*/[a-z][a-z0-9_]*)$"
    )
    at_most: int = Field(ge=1, le=10_000)
    refuses: Literal["all", "probabilistic"]


class Probabilistic(BaseModel):
    """The trained matcher and what follows from its verdict.

    Args:
        model: The trained file, beside `identity.yml`.
        merge_probability: From which on two records are one person's.
        review_probability: From which on a person should look; less is nothing.
        block_cap: Records that one block may hold; a larger block compares nobody.
        certain_probability: From which on limits that refuse guesses refuse the pair no more: what
            contradicts it was weighed.
        unlike_names_merge_from: Records whose first names are known and unlike merge only where,
            by the trained file, at least this share of one person's pairs of records has unlike
            first names; otherwise a person should look. Twins share everything else.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    model: str = Field(pattern=r"^[a-z0-9_]+[.]json$")
    merge_probability: float = Field(gt=0, lt=1)
    review_probability: float = Field(gt=0, lt=1)
    block_cap: int = Field(ge=2, le=1000)
    certain_probability: float = Field(default=0.9999, gt=0, lt=1)
    unlike_names_merge_from: float = Field(default=0.05, gt=0, le=1)

    @model_validator(mode="after")
    def _review_comes_first(self) -> Probabilistic:
        if self.review_probability > self.merge_probability:
            raise ValueError("review_probability is above merge_probability")
        if self.merge_probability > self.certain_probability:
            raise ValueError("merge_probability is above certain_probability")
        return self


Attribute = Literal[
    "first_name",
    "last_name",
    "email",
    "phone",
    "country",
    "language",
    "plan",
    "job_title",
    "job_role",
    "industry",
    "lifecycle_stage",
]


class Survivorship(BaseModel):
    """Which value of an attribute stands in the golden record; among equals the newest does.

    Args:
        rule: `source_priority`, `most_recent`, `most_frequent`, `verified_first` (a record that
            carries the app's user id) or `longest`.
        sources: For `source_priority`: the sources, believed in this order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    rule: Literal["source_priority", "most_recent", "most_frequent", "verified_first", "longest"]
    sources: list[str] = []

    @model_validator(mode="after")
    def _sources_where_they_count(self) -> Survivorship:
        if (self.rule == "source_priority") != bool(self.sources):
            raise ValueError("sources belong to source_priority, which needs them")
        if len(set(self.sources)) != len(self.sources):
            raise ValueError("a source stands there twice")
        return self


class IdentityRules(BaseModel):
    """`identity.yml`, proved.

    Args:
        normalisers: How identifiers are compared.
        identifier_types: Types of identifiers that the project does not bring along.
        rules: Match rules, most trusted first.
        probabilistic: The trained matcher; None where there is none.
        cluster_limits: What one cluster may hold.
        households: Who lives with whom.
        survivorship: Rules of the golden record's attributes; the newest value where none is.
        blocked_values: Values that never link records.
        same_first_names: Lists of first names that are forms of one name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    normalisers: NormaliserSettings
    identifier_types: list[OwnIdentifierType] = []
    rules: list[MatchRule] = Field(min_length=1)
    probabilistic: Probabilistic | None = None
    cluster_limits: list[ClusterLimit] = []
    households: Households = Households(size_cap=2)
    survivorship: dict[Attribute, Survivorship] = {}
    blocked_values: list[BlockedValue] = []
    same_first_names: list[list[str]] = []

    @property
    def own_types(self) -> dict[str, str]:
        """Normaliser of each type that the project does not bring along."""
        return {own.identifier_type: own.normaliser for own in self.identifier_types}

    @field_validator("rules")
    @classmethod
    def _named_once(cls, value: list[MatchRule]) -> list[MatchRule]:
        counts = Counter(rule.rule for rule in value)
        twice = sorted(name for name, count in counts.items() if count > 1)
        if twice:
            raise ValueError(f"rule {twice[0]!r} stands there twice")
        return value

    @field_validator("identifier_types")
    @classmethod
    def _typed_once(cls, value: list[OwnIdentifierType]) -> list[OwnIdentifierType]:
        twice = [
            n for n, count in Counter(own.identifier_type for own in value).items() if count > 1
        ]
        if twice:
            raise ValueError(f"identifier type {min(twice)!r} stands there twice")
        return value

    @model_validator(mode="after")
    def _types_are_known(self) -> IdentityRules:
        known = {*_KNOWN_RULES.values(), *(own.identifier_type for own in self.identifier_types)}
        used = [rule.identifier_type for rule in self.rules if rule.identifier_type]
        used += [blocked.identifier_type for blocked in self.blocked_values]
        for rule in self.rules:
            if rule.combination and rule.rule in {*known, *_KNOWN_RULES}:
                raise ValueError(f"a combination cannot be named {rule.rule!r}")
        for name in used:
            if name not in known:
                raise ValueError(f"{name!r} is no type of identifier: {', '.join(sorted(known))}")
        return self

    @field_validator("cluster_limits")
    @classmethod
    def _limited_once(cls, value: list[ClusterLimit]) -> list[ClusterLimit]:
        twice = [n for n, count in Counter(limit.limit for limit in value).items() if count > 1]
        if twice:
            raise ValueError(f"limit {min(twice)!r} stands there twice")
        return value

    @field_validator("same_first_names")
    @classmethod
    def _lower_case(cls, value: list[list[str]]) -> list[list[str]]:
        for names in value:
            for name in names:
                if name != name.strip().lower() or not name:
                    raise ValueError(f"first name {name!r} has to be lower case, without blanks")
        return value


def load_identity_rules(settings: Settings) -> IdentityRules:
    """Read and prove `orchestration/config/identity.yml`.

    Raises:
        JourneylineError: The file is missing, is no YAML, or says something that cannot be.
    """
    return load_proved(settings.config / "identity.yml", IdentityRules)
