"""`identity.yml` as facts: match rules, blocked values, names that are one name.

Belongs here: reading the file and proving that it can mean what it says. Writing it as tables is
`config_tables`; what the rules do is SQL (`dbt_project/models/unify/records`).
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.settings import Settings

IdentifierType = Literal["user_id", "record_id", "email", "phone", "company_domain"]
Guard = Literal["none", "names_do_not_conflict", "names_match", "names_equal"]

# What the SQL of each rule can do: a rule of another name would make no edges.
_KNOWN_RULES: dict[str, IdentifierType] = {
    "user_id": "user_id",
    "vendor_merge": "record_id",
    "email": "email",
    "phone_and_name": "phone",
    "name_and_domain": "company_domain",
}


class MatchRule(BaseModel):
    """Records that share a value of `identifier_type` belong together, if the guard agrees.

    Args:
        rule: Name of the rule; it stands on every edge it makes.
        identifier_type: What has to be equal.
        fan_out_cap: Records that may share one value; a value shared by more links nobody.
        guard: What the names of the two records have to say.
        enabled: Whether the rule makes edges.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    rule: str
    identifier_type: IdentifierType
    fan_out_cap: int = Field(ge=2, le=1000)
    guard: Guard
    enabled: bool = True

    @model_validator(mode="after")
    def _is_known(self) -> MatchRule:
        expected = _KNOWN_RULES.get(self.rule)
        if expected is None:
            raise ValueError(f"rule {self.rule!r} is none of {', '.join(_KNOWN_RULES)}")
        if expected != self.identifier_type:
            raise ValueError(f"rule {self.rule!r} compares {expected}, not {self.identifier_type}")
        return self


class BlockedValue(BaseModel):
    """Values of a type that match a pattern say nothing about a person."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    identifier_type: IdentifierType
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
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    model: str = Field(pattern=r"^[a-z0-9_]+[.]json$")
    merge_probability: float = Field(gt=0, lt=1)
    review_probability: float = Field(gt=0, lt=1)
    block_cap: int = Field(ge=2, le=1000)

    @model_validator(mode="after")
    def _review_comes_first(self) -> Probabilistic:
        if self.review_probability > self.merge_probability:
            raise ValueError("review_probability is above merge_probability")
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
        default_phone_prefix: Prefix of numbers that name no country.
        rules: Match rules, most trusted first.
        probabilistic: The trained matcher; None where there is none.
        cluster_limits: What one cluster may hold.
        survivorship: Rules of the golden record's attributes; the newest value where none is.
        blocked_values: Values that never link records.
        same_first_names: Lists of first names that are forms of one name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    default_phone_prefix: str = Field(pattern=r"^\+[1-9][0-9]{0,3}$")
    rules: list[MatchRule] = Field(min_length=1)
    probabilistic: Probabilistic | None = None
    cluster_limits: list[ClusterLimit] = []
    survivorship: dict[Attribute, Survivorship] = {}
    blocked_values: list[BlockedValue] = []
    same_first_names: list[list[str]] = []

    @field_validator("rules")
    @classmethod
    def _named_once(cls, value: list[MatchRule]) -> list[MatchRule]:
        counts = Counter(rule.rule for rule in value)
        twice = sorted(name for name, count in counts.items() if count > 1)
        if twice:
            raise ValueError(f"rule {twice[0]!r} stands there twice")
        return value

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
    path = settings.config / "identity.yml"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise JourneylineError(
            "identity.yml is missing.", str(path), "Restore it from the project.", EXIT_USAGE
        ) from error
    try:
        return IdentityRules.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        raise JourneylineError(
            f"identity.yml is no YAML: {error}", f"{path}{line}", "Correct the line.", EXIT_USAGE
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise JourneylineError(
            f"identity.yml is not valid: {field}: {first['msg']}",
            f"{path}{_line_of(path, first['loc'])}",
            "Correct the field.",
            EXIT_USAGE,
        ) from error


def _line_of(path: Path, location: tuple[int | str, ...]) -> str:
    """`:line` of the value that a validation error is about, as near as YAML can say."""
    node: Any = yaml.compose(path.read_text(encoding="utf-8"))
    for part in location:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
        elif isinstance(node, yaml.MappingNode):
            found = [value for key, value in node.value if key.value == part]
            if not found:
                break
            node = found[0]
        else:
            break
    return "" if node is None else f":{node.start_mark.line + 1}"
