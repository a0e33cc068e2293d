"""Writes the audiences as tables of schema `config`, which dbt reads."""

from __future__ import annotations

from collections.abc import Sequence

from orchestration import warehouse
from orchestration.decide.definitions import Audience, Condition, load_audiences
from orchestration.settings import Settings

Rows = list[tuple[object, ...]]

_TABLES = {
    "audiences": "audience text, channel text, owner text, description text, rule text, "
    "condition_count integer",
    "audience_conditions": "audience text, condition_kind text, journey text, stage text, "
    "outcome text, touchpoint_type text, error_code text, attribute text, "
    "condition_number integer, limit_days integer",
    "audience_condition_values": "audience text, condition_value text, condition_number integer",
}


def write_audience_tables(settings: Settings) -> None:
    """Replace `config.{audiences,audience_conditions,audience_condition_values}`.

    Raises:
        JourneylineError: `audiences.yml` is missing or not valid; nothing was written then.
    """
    rows = audience_rows(load_audiences(settings))
    connection = warehouse.connect(settings.warehouse)
    try:
        warehouse.replace_config_tables(connection, _TABLES, rows)
    finally:
        connection.close()


def audience_rows(audiences: Sequence[Audience]) -> dict[str, Rows]:
    """The rows of each table, in the order of its columns.

    Returns:
        Table name to rows; the conditions of an audience are numbered from 1.
    """
    numbered = [
        (audience.audience, number, condition)
        for audience in audiences
        for number, condition in enumerate(audience.conditions, start=1)
    ]
    return {
        "audiences": [
            (
                audience.audience,
                audience.channel,
                audience.owner,
                audience.description,
                "; ".join(in_words(condition) for condition in audience.conditions),
                len(audience.conditions),
            )
            for audience in audiences
        ],
        "audience_conditions": [
            _condition_row(audience, number, condition) for audience, number, condition in numbered
        ],
        "audience_condition_values": [
            (audience, value, number)
            for audience, number, condition in numbered
            for value in _values(condition)
        ],
    }


def in_words(condition: Condition) -> str:
    """The condition as a reader of the release sees it."""
    if (stage := condition.in_stage) is not None:
        return f"in stage {stage.stage} of {stage.journey} for at least {stage.at_least_days} days"
    if (ended := condition.journey_outcome) is not None:
        within = f" within {ended.within_days} days" if ended.within_days is not None else ""
        return f"{ended.journey} {ended.outcome}{within}"
    if (silence := condition.no_touchpoint) is not None:
        what = silence.touchpoint_type or "touchpoint of the customer's own"
        return f"no {what} for {silence.for_days} days"
    if (had := condition.had_touchpoint) is not None:
        error = f" with {had.error_code}" if had.error_code is not None else ""
        answers = had.not_followed_by
        since = f" and no {' or '.join(answers)} since" if answers else ""
        return f"{had.touchpoint_type}{error} within {had.within_days} days{since}"
    assert condition.attribute is not None
    return f"{condition.attribute.attribute} is {' or '.join(condition.attribute.is_one_of)}"


def _condition_row(audience: str, number: int, condition: Condition) -> tuple[object, ...]:
    """Kind, then what the kinds have among them; null where a kind has no such thing."""
    kind = next(name for name in type(condition).model_fields if getattr(condition, name))
    fact = getattr(condition, kind)
    names = ("at_least_days", "within_days", "for_days")
    days = next((getattr(fact, name) for name in names if hasattr(fact, name)), None)
    asked = ("journey", "stage", "outcome", "touchpoint_type", "error_code", "attribute")
    return (audience, kind, *(getattr(fact, name, None) for name in asked), number, days)


def _values(condition: Condition) -> tuple[str, ...]:
    """The types that would answer a touchpoint, or the values of an attribute that count."""
    if condition.had_touchpoint is not None:
        return tuple(dict.fromkeys(condition.had_touchpoint.not_followed_by))
    if condition.attribute is not None:
        return tuple(dict.fromkeys(condition.attribute.is_one_of))
    return ()
