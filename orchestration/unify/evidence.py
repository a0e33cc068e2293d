"""What stands behind a link: the value, masked; the rows that bear it; the matcher's outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import duckdb

from orchestration.unify.comparisons import COMPARISONS
from orchestration.unify.model import UNITS_PER_BIT


@dataclass(frozen=True)
class SourceRow:
    """Where a record said it.

    Args:
        record: The record, written source/entity/record_id.
        delivery_id: The delivery that told it first; None where several came at once.
        valid_from: Since when, by the source's own time.
        received_at: When it was received.
    """

    record: str
    delivery_id: str | None
    valid_from: datetime | None
    received_at: datetime | None


def value_of(
    connection: duckdb.DuckDBPyConnection, left: str, right: str, rule: str, evidence: str
) -> str:
    """The value that two records share under a rule; a decision's author and reason."""
    if rule == "must_link":
        row = connection.execute(
            "select author || ': ' || reason from config.identity_decisions where decision_id = ?",
            [evidence],
        ).fetchone()
        return str(row[0]) if row else ""
    row = connection.execute(
        """
        select min(match_value) from unify.int_match_pairs
        where left_record_key = ? and right_record_key = ? and rule = ?
        """,
        [left, right, rule],
    ).fetchone()
    return str(row[0]) if row and row[0] is not None else ""


def masked(rule: str, value: str) -> str:
    """A value of which a reader recognises what he knows, and learns nothing else."""
    if rule == "must_link" or not value:
        return value
    if rule == "name_and_domain":
        domain, *names = value.split("|")
        return " ".join(f"{name[:1]}." for name in names) + f" at {domain}"
    if "@" in value:
        local, domain = value.split("@", 1)
        return f"{local[:1]}***@{domain}"
    if "|" in value:
        return " ".join(f"{part[:1]}***" for part in value.split("|") if part)
    if len(value) <= 4:
        return "***"
    return f"{value[:3]}***{value[-2:]}"


def source_row(
    connection: duckdb.DuckDBPyConnection, record: str, rule: str, value: str
) -> SourceRow:
    """The first row of a record that bears the value, or the record's first row."""
    found = connection.execute(
        """
        select min(valid_from), min(known_at) from unify.int_record_identifiers
        where record_key = ? and identifier_value = ?
        """,
        [record, value],
    ).fetchone()
    if found is None or found[1] is None:
        found = connection.execute(
            "select created_at, first_received_at from unify.int_records where record_key = ?",
            [record],
        ).fetchone()
    valid_from, received_at = found if found else (None, None)
    source, entity, _ = record.split("/", 2)
    deliveries = connection.execute(
        """
        select delivery_id from ingest.deliveries
        where source = ? and received_at = ? and entity in (?, 'events')
        """,
        [source, received_at, entity],
    ).fetchall()
    return SourceRow(
        record=record,
        delivery_id=str(deliveries[0][0]) if len(deliveries) == 1 else None,
        valid_from=valid_from,
        received_at=received_at,
    )


def waterfall(
    connection: duckdb.DuckDBPyConnection, left: str, right: str
) -> list[tuple[str, float]]:
    """What the matcher saw in two records: each outcome with its weight in bits, and the sum.

    Args:
        connection: The warehouse.
        left: The smaller record key.
        right: The larger one.

    Returns:
        The prior, one row per comparison that both sides have a say in, rare values, the sum.
    """
    levels = ", ".join(f"comparisons.{comparison.name}_level" for comparison in COMPARISONS)
    row = connection.execute(
        f"""
        select weights.match_weight, comparisons.left_first_name, comparisons.left_last_name,
            {levels}
        from unify.int_pair_weights as weights
        inner join unify.int_pair_comparisons as comparisons
            using (left_state_id, right_state_id)
        where weights.left_record_key = ? and weights.right_record_key = ?
        order by weights.match_weight desc, weights.known_at, left_state_id, right_state_id
        limit 1
        """,
        [left, right],
    ).fetchone()
    if row is None:
        return []
    total, first_name, last_name, *outcomes = row
    names = {"first_name": first_name, "last_name": last_name}
    told = [("two records of which nothing is known", _prior(connection))]
    for comparison, number in zip(COMPARISONS, outcomes, strict=True):
        level = next(each for each in comparison.levels if each.number == number)
        if number >= 0:
            told.append((level.label, _weight(connection, comparison.name, number)))
        if level.term is not None:
            rarity = _term_weight(connection, comparison.name, names[comparison.name])
            if rarity:
                told.append((f"how rare the {level.term.replace('_', ' ')} is", rarity))
    return [
        *((label, weight / UNITS_PER_BIT) for label, weight in told),
        ("together", total / UNITS_PER_BIT),
    ]


def _prior(connection: duckdb.DuckDBPyConnection) -> int:
    return _number(connection, "select prior_weight from config.identity_settings", [])


def _weight(connection: duckdb.DuckDBPyConnection, comparison: str, level: int) -> int:
    query = "select weight from config.identity_level_weights where comparison = ? and level = ?"
    return _number(connection, query, [comparison, level])


def _term_weight(connection: duckdb.DuckDBPyConnection, comparison: str, term: str) -> int:
    query = "select weight from config.identity_term_weights where comparison = ? and term = ?"
    return _number(connection, query, [comparison, term])


def _number(connection: duckdb.DuckDBPyConnection, query: str, values: list[object]) -> int:
    row = connection.execute(query, values).fetchone()
    return int(row[0]) if row and row[0] is not None else 0
