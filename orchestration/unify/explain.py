"""Why two records are one customer, or are not: the shortest chain of evidence between them.

Belongs here: finding the records, the chain and what each link holds together, out of the
warehouse's own edges (`unify.int_match_edges`). Values are masked; nothing is written.
docs/identity.md has the same as a query.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import duckdb

from orchestration import warehouse
from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.settings import Settings
from orchestration.unify.evidence import SourceRow, masked, source_row, value_of, waterfall
from orchestration.unify.normalising import normal_form_by_text


@dataclass(frozen=True)
class Link:
    """One link of the chain.

    Args:
        records: The two records, in the order of the chain.
        rule: The rule that links them.
        value: What they share, masked; the author's reason for a decision.
        evidence: The pseudonym, hash or decision that stands in the published history.
        outcomes: For the trained matcher: each outcome with its weight in bits.
        source_rows: Where and when each of the two said it.
        known_at: When it was known.
        also: Further rules that link the same two records.
        would_split: The parts into which the customer's records would fall without any link
            between these two; empty where other evidence holds them together.
    """

    records: tuple[str, str]
    rule: str
    value: str
    evidence: str
    outcomes: list[tuple[str, float]]
    source_rows: list[SourceRow]
    known_at: datetime
    also: list[str]
    would_split: list[list[str]]


@dataclass(frozen=True)
class Refusal:
    """A link that some rule wants and that does not stand."""

    records: tuple[str, str]
    rule: str
    reason: str
    value: str
    evidence: str
    outcomes: list[tuple[str, float]]
    known_at: datetime


@dataclass(frozen=True)
class Why:
    """The answer.

    Args:
        left_records: Records that the first question names.
        right_records: Records that the second names.
        left_customers: The customers who hold them.
        right_customers: The customers who hold them.
        is_one_customer: Whether a chain leads from one to the other.
        chain: Its links, empty where there is none or both are one record.
        refused: What would link the two customers, or the records of the one, and does not.
    """

    left_records: list[str]
    right_records: list[str]
    left_customers: list[str]
    right_customers: list[str]
    is_one_customer: bool
    chain: list[Link] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)


Edge = tuple[str, str, str, str, int, datetime]
_EDGES = "left_record_key, right_record_key, rule, evidence, strength, known_at"


def explain(settings: Settings, left: str, right: str) -> Why:
    """Why two identifiers or records belong together, or do not.

    Args:
        settings: The home; its warehouse has to be built.
        left: An e-mail address, phone number, user id, or a record `source/entity/record_id`.
        right: The other one.

    Raises:
        JourneylineError: Nothing was built yet, or nobody bears what was asked for.
    """
    connection = open_built(settings)
    try:
        lefts, rights = records_of(connection, left), records_of(connection, right)
        clusters = _clusters(connection, [*lefts, *rights])
        members = _members(connection, set(clusters.values()))
        edges = _alive(connection, set(clusters.values()))
        path = _shortest(lefts, rights, edges)
        if path is None:
            return Why(
                lefts,
                rights,
                customers_of(connection, lefts),
                customers_of(connection, rights),
                is_one_customer=False,
                refused=_refused(connection, set(members)),
            )
        return Why(
            lefts,
            rights,
            customers_of(connection, lefts),
            customers_of(connection, rights),
            is_one_customer=True,
            chain=[_link(connection, pair, edges, members, clusters) for pair in path],
            refused=_refused(connection, set(members)),
        )
    finally:
        connection.close()


def open_built(settings: Settings) -> duckdb.DuckDBPyConnection:
    """The warehouse, for reading.

    Raises:
        JourneylineError: There is none, or it was never built, or another program has it open.
    """
    where = str(settings.warehouse)
    if not settings.warehouse.exists():
        raise JourneylineError("Nothing was built yet.", where, "Type `journeyline run` first.")
    try:
        connection = warehouse.connect(settings.warehouse, read_only=True)
    except duckdb.IOException as error:
        raise JourneylineError(
            "The warehouse cannot be opened: another process has it open.",
            where,
            "Close that program, or wait for its run to end.",
        ) from error
    try:
        connection.execute("select 1 from unify.int_match_edges limit 1")
        connection.execute("select 1 from identity.customer_records limit 1")
    except duckdb.CatalogException as error:
        connection.close()
        raise JourneylineError(
            "No identities were resolved yet.", where, "Type `journeyline run` first."
        ) from error
    return connection


def records_of(connection: duckdb.DuckDBPyConnection, asked: str) -> list[str]:
    """The records that bear an identifier, or the record that is named.

    Raises:
        JourneylineError: There is none, or all of them are staff's.
    """
    rows = connection.execute(
        """
        with forms as (
            select unnest($types) as identifier_type, unnest($values) as identifier_value
        ),
        found as (
            select $asked as record_key
            union
            select record_key from unify.int_record_identifiers
            where identifier_value = $asked
                -- a number without its country
                or (identifier_type = 'phone' and length($digits) >= 7
                    and right(identifier_value, length($digits)) = $digits)
            union
            select record_key from unify.int_record_identifiers
            inner join forms using (identifier_type, identifier_value)
        )
        select delivered.record_key, delivered.staff_known_at
        from unify.int_records_delivered as delivered
        inner join found on found.record_key = delivered.record_key
        order by 1
        """,
        {
            "asked": asked,
            "digits": "".join(c for c in asked if c.isdigit()).lstrip("0"),
            **_forms_of(connection, asked),
        },
    ).fetchall()
    if not rows:
        raise JourneylineError(
            f"No record bears {asked!r}.",
            "the first or second argument",
            "Give an e-mail address, a phone number, a user id, or a record written "
            "source/entity/record_id.",
            EXIT_USAGE,
        )
    records = [str(record) for record, staff_known_at in rows if staff_known_at is None]
    if not records:
        raise JourneylineError(
            f"{asked!r} is staff: since {rows[0][1]:%Y-%m-%d} no rule links {rows[0][0]}.",
            "unify.int_records_delivered",
            "Staff are not customers. If that is wrong, look for the address among the CRM's "
            "owners and the support users with a staff role.",
            EXIT_USAGE,
        )
    return records


def _forms_of(connection: duckdb.DuckDBPyConnection, asked: str) -> dict[str, list[str]]:
    """What was asked for in the form of each type of identifier."""
    row = connection.execute("select normaliser_settings from config.identity_settings").fetchone()
    assert row is not None
    forms = {
        str(name): normal_form_by_text(str(normaliser), asked, str(row[0]))
        for name, normaliser in connection.execute("from config.identity_types").fetchall()
    }
    return {"types": list(forms), "values": list(forms.values())}


def customers_of(connection: duckdb.DuckDBPyConnection, records: Iterable[str]) -> list[str]:
    """The customers who hold records."""
    rows = connection.execute(
        "select distinct customer_id from identity.customer_records "
        "where list_contains(?, record_key) order by 1",
        [list(records)],
    ).fetchall()
    return [str(row[0]) for row in rows]


def _clusters(connection: duckdb.DuckDBPyConnection, records: list[str]) -> dict[str, str]:
    return dict(
        connection.execute(
            "select record_key, cluster_key from unify.int_clusters "
            "where list_contains(?, record_key)",
            [records],
        ).fetchall()
    )


def _members(connection: duckdb.DuckDBPyConnection, clusters: set[str]) -> list[str]:
    rows = connection.execute(
        "select record_key from unify.int_clusters where list_contains(?, cluster_key) order by 1",
        [sorted(clusters)],
    ).fetchall()
    return [str(row[0]) for row in rows]


def _alive(connection: duckdb.DuckDBPyConnection, clusters: set[str]) -> list[Edge]:
    """The edges that hold clusters together, the most trusted first."""
    return connection.execute(
        f"""
        select {_EDGES} from unify.int_match_edges as edges
        inner join unify.int_clusters as clusters
            on clusters.record_key = edges.left_record_key
        where dead_at is null and list_contains(?, cluster_key)
        order by strength desc, left_record_key, right_record_key, rule, evidence, known_at
        """,
        [sorted(clusters)],
    ).fetchall()


def _shortest(
    starts: list[str], ends: list[str], edges: list[Edge]
) -> list[tuple[str, str]] | None:
    """The pairs of the shortest chain; more trusted links first where several are as short."""
    neighbours: dict[str, list[str]] = {}
    for left, right, *_ in edges:
        neighbours.setdefault(left, []).append(right)
        neighbours.setdefault(right, []).append(left)
    came_from: dict[str, str | None] = dict.fromkeys(starts)
    waiting = deque(starts)
    while waiting:
        record = waiting.popleft()
        if record in ends:
            return _walk_back(record, came_from)
        for neighbour in neighbours.get(record, []):
            if neighbour not in came_from:
                came_from[neighbour] = record
                waiting.append(neighbour)
    return None


def _walk_back(record: str, came_from: dict[str, str | None]) -> list[tuple[str, str]]:
    pairs = []
    before = came_from[record]
    while before is not None:
        pairs.append((before, record))
        record, before = before, came_from[before]
    return pairs[::-1]


def _link(
    connection: duckdb.DuckDBPyConnection,
    pair: tuple[str, str],
    edges: list[Edge],
    members: list[str],
    clusters: dict[str, str],
) -> Link:
    between = [edge for edge in edges if {edge[0], edge[1]} == set(pair)]
    left, right, rule, evidence, _, known_at = between[0]
    value = value_of(connection, left, right, rule, evidence)
    return Link(
        records=pair,
        rule=rule,
        value=masked(rule, value),
        evidence=evidence,
        outcomes=waterfall(connection, left, right) if rule == "probabilistic" else [],
        source_rows=[source_row(connection, record, rule, value) for record in pair],
        known_at=known_at,
        also=sorted({edge[2] for edge in between} - {rule}),
        would_split=_parts_without(set(pair), edges, members, clusters),
    )


def _parts_without(
    pair: set[str], edges: list[Edge], members: list[str], clusters: dict[str, str]
) -> list[list[str]]:
    """The parts of the pair's cluster once nothing links these two directly."""
    parent = {record: record for record in members}

    def find(record: str) -> str:
        while parent[record] != record:
            record = parent[record]
        return record

    for left, right, *_ in edges:
        if {left, right} != pair:
            parent[find(right)] = find(left)
    roots = {find(record) for record in pair}
    if len(roots) == 1:
        return []
    return sorted([record for record in members if find(record) == root] for root in sorted(roots))


def _refused(connection: duckdb.DuckDBPyConnection, records: set[str]) -> list[Refusal]:
    """Refused links among the records, and pairs that wait for a person's review."""
    listed = sorted(records)
    rows = connection.execute(
        """
        select left_record_key, right_record_key, rule, reason, evidence, known_at
        from unify.int_refused_edges
        where list_contains($listed, left_record_key) and list_contains($listed, right_record_key)
        union all
        select left_record_key, right_record_key, 'probabilistic', 'waits for review',
            cast(match_weight as varchar), known_at
        from unify.int_review_pairs
        where list_contains($listed, left_record_key) and list_contains($listed, right_record_key)
        order by all
        """,
        {"listed": listed},
    ).fetchall()
    return [
        Refusal(
            records=(left, right),
            rule=rule,
            reason=reason,
            value=masked(rule, value_of(connection, left, right, rule, evidence)),
            evidence=evidence,
            outcomes=waterfall(connection, left, right) if rule == "probabilistic" else [],
            known_at=known_at,
        )
        for left, right, rule, reason, evidence, known_at in rows
    ]
