"""People's part: what waits for them, and writing down what they decide."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import duckdb

from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.settings import Settings
from orchestration.unify.decisions import Decision, append_decision, load_decisions
from orchestration.unify.evidence import waterfall
from orchestration.unify.explain import customers_of, open_built, records_of
from orchestration.unify.model import UNITS_PER_BIT


@dataclass(frozen=True)
class Waiting:
    """A pair of records that a person should look at.

    Args:
        records: The two records.
        customers: The customers who hold them now.
        probability: That they are one person's.
        outcomes: What the matcher saw, with the weight of each outcome in bits.
        known_at: When it was known.
    """

    records: tuple[str, str]
    customers: tuple[str, str]
    probability: float
    outcomes: list[tuple[str, float]]
    known_at: datetime


def review_queue(settings: Settings, limit: int = 20) -> tuple[int, list[Waiting]]:
    """How many pairs wait, and the most likely of them with their evidence.

    Raises:
        JourneylineError: Nothing was built yet.
    """
    connection = open_built(settings)
    try:
        rows = connection.execute(
            """
            select left_record_key, right_record_key, left_customers.customer_id,
                right_customers.customer_id, match_weight, known_at
            from unify.int_review_pairs
            inner join identity.customer_records as left_customers
                on left_customers.record_key = left_record_key
            inner join identity.customer_records as right_customers
                on right_customers.record_key = right_record_key
            order by match_weight desc, left_record_key, right_record_key
            """
        ).fetchall()
        return len(rows), [
            Waiting(
                records=(left, right),
                customers=(left_customer, right_customer),
                probability=round(1 / (1 + 2 ** (-weight / UNITS_PER_BIT)), 4),
                outcomes=waterfall(connection, left, right),
                known_at=known_at,
            )
            for left, right, left_customer, right_customer, weight, known_at in rows[:limit]
        ]
    finally:
        connection.close()


def decide(
    settings: Settings,
    decision: Literal["must_link", "cannot_link"],
    left: str,
    right: str,
    *,
    author: str,
    reason: str,
) -> Decision:
    """Append a decision to `identity_decisions.yml`, as of where the home stands.

    Raises:
        JourneylineError: A record is not known, an identifier names several customers, the pair
            is decided already, or the decision says what is so anyway.
    """
    connection = open_built(settings)
    try:
        records = (_one_record(connection, left), _one_record(connection, right))
        together = len(customers_of(connection, records)) == 1
        row = connection.execute("select max(as_of) from pipeline.clock").fetchone()
    finally:
        connection.close()
    if records[0] == records[1]:
        raise JourneylineError(
            f"Both are the record {records[0]}.",
            "the first or second argument",
            "Name two records.",
            EXIT_USAGE,
        )
    if together == (decision == "must_link"):
        raise JourneylineError(
            f"{records[0]} and {records[1]} are {'one customer' if together else 'two customers'} "
            "already.",
            str(settings.warehouse),
            f"`journeyline identity why {records[0]} {records[1]}` says why.",
            EXIT_USAGE,
        )
    assert row is not None
    decided = Decision(
        decision=decision,
        records=(min(records), max(records)),
        author=author,
        reason=reason,
        decided_at=row[0],
    )
    append_decision(settings, decided)
    return decided


def decisions_in_force(settings: Settings) -> list[tuple[Decision, bool]]:
    """Every decision, and whether the home has reached it with both records there."""
    connection = open_built(settings)
    try:
        known = {
            str(row[0])
            for row in connection.execute(
                "select decision_id from unify.int_identity_decisions"
            ).fetchall()
        }
    finally:
        connection.close()
    return [(each, each.decision_id in known) for each in load_decisions(settings)]


def _one_record(connection: duckdb.DuckDBPyConnection, asked: str) -> str:
    """The record that is named; the first of an identifier's, where all are one customer's."""
    records = records_of(connection, asked)
    if len(customers_of(connection, records)) > 1:
        raise JourneylineError(
            f"{asked!r} is on records of several customers: {', '.join(records[:5])}.",
            "the first or second argument",
            "Name one of the records.",
            EXIT_USAGE,
        )
    return records[0]
