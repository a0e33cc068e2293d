"""Quarantine: what broke the contracts, for people to look at and to act on.

The tables are the loader's. An act is a line in `landing/acts.ndjson`; the next run carries it out.
"""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.ingest.acts import DISCARD, append_acts, next_instant, read_acts
from orchestration.settings import Settings
from orchestration.warehouse import connect

# Where a row of quarantine stands; `act` is the last one on it that no run has taken yet.
_STANDING = """
    select *, case act when 'replay' then 'replay waits' when 'discard' then 'discarded'
        else coalesce(state, 'waiting') end as standing
    from ingest.quarantine_rows
    left join quarantine_acts on source = acted_source and entity = acted_entity
        and delivery_id = acted_delivery_id and row_number = acted_row_number
"""
_ANSWERS = """
    ((source = ? and (? = '' or entity = ?)) or (strlen(?) >= 6 and starts_with(quarantine_id, ?))
        or delivery_id = ?)
    and (?::text is null or rule = ?)
"""


@dataclass(frozen=True)
class QuarantineGroup:
    """Rows of one table that broke one rule, and the span in which they were seen.

    Args:
        source: Source of the rows.
        entity: Table of the rows.
        rule: The rule they broke, or what holds them.
        row_count: Rows, discarded ones among them.
        waiting_count: Rows that nobody decided about.
        replay_count: Rows that the next run judges again.
        discarded_count: Rows that will never be taken.
        delivery_count: Deliveries that brought them.
        first_seen_at: The first sight of any of them.
        last_seen_at: The last sight of any of them; a replay in vain is one.
    """

    source: str
    entity: str
    rule: str
    row_count: int
    waiting_count: int
    replay_count: int
    discarded_count: int
    delivery_count: int
    first_seen_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True)
class QuarantinedRow:
    """One row as delivered, with the rule it broke."""

    quarantine_id: str
    source: str
    entity: str
    delivery_id: str
    row_number: int
    rule: str
    column_name: str | None
    value: str | None
    payload: str
    received_at: datetime
    first_seen_at: datetime
    last_seen_at: datetime
    standing: str


@dataclass(frozen=True)
class Acted:
    """What an act named.

    Args:
        act: `replay` or `discard`.
        at: Instant from which it holds.
        row_count: Rows named.
        tables: Rows by `source/entity`.
    """

    act: str
    at: datetime
    row_count: int
    tables: dict[str, int]


def list_quarantine(settings: Settings, source: str | None = None) -> list[QuarantineGroup]:
    """Counts per source, entity and rule; empty when nothing was loaded yet.

    Args:
        settings: The home folder.
        source: Only this source.
    """
    rows = _query(
        settings,
        f"""
        select source, entity, rule, count(*), count_if(standing = 'waiting'),
            count_if(standing = 'replay waits'), count_if(standing = 'discarded'),
            count(distinct delivery_id), min(first_seen_at), max(last_seen_at)
        from ({_STANDING})
        where ?::text is null or source = ?
        group by source, entity, rule
        order by source, entity, rule
        """,
        [source, source],
    )
    return [QuarantineGroup(*row) for row in rows]


def show_quarantine(
    settings: Settings, what: str, limit: int = 20, rule: str | None = None
) -> list[QuarantinedRow]:
    """Quarantined rows, newest first.

    Args:
        settings: The home folder.
        what: A `quarantine_id` (or its beginning), a delivery, `source` or `source/entity`.
        limit: Rows at most.
        rule: Only rows that broke this rule.

    Raises:
        JourneylineError: Nothing in quarantine answers to it.
    """
    rows = _query(
        settings,
        f"""
        select quarantine_id, source, entity, delivery_id, row_number, rule, column_name, value,
            payload, received_at, first_seen_at, last_seen_at, standing
        from ({_STANDING})
        where {_ANSWERS}
        order by received_at desc, source, entity, delivery_id desc, row_number
        limit ?
        """,
        [*_answering(what, rule), limit],
    )
    if not rows:
        raise _nothing(what)
    return [QuarantinedRow(*row) for row in rows]


def act_on_quarantine(
    settings: Settings,
    act: str,
    what: str,
    now: datetime | None,
    rule: str | None = None,
    reason: str | None = None,
) -> Acted:
    """Record a replay or a discard of the rows that answer to a name; the writer lock is held.

    Args:
        settings: The home folder.
        act: `replay` or `discard`.
        what: As in `show_quarantine`.
        now: The clock's time, UTC without zone; None where the company's nights are not the
            clock's.
        rule: Only rows that broke this rule.
        reason: What the person says about it.

    Raises:
        JourneylineError: Nothing in quarantine answers to it, or it is so already.
    """
    standing = ("waiting", "replay waits") if act == DISCARD else ("waiting", "discarded")
    rows = rows_answering(settings, what, rule, standing)
    at = next_act_at(settings, now)
    count = append_acts(settings, act, rows, at, reason)
    tables = Counter(f"{source}/{entity}" for source, entity, _, _ in rows)
    return Acted(act, at, count, dict(tables))


def rows_answering(
    settings: Settings, what: str, rule: str | None, standing: tuple[str, str]
) -> list[tuple[str, str, str, int]]:
    """Source, entity, delivery and row number of the rows that an act can name.

    Raises:
        JourneylineError: Nothing in quarantine answers to the name, or it stands otherwise.
    """
    rows = _query(
        settings,
        f"""
        select source, entity, delivery_id, row_number from ({_STANDING})
        where {_ANSWERS} and standing in {standing}
        order by source, entity, received_at, delivery_id, row_number
        """,
        _answering(what, rule),
    )
    if not rows:
        raise _nothing(what)
    return [(str(row[0]), str(row[1]), str(row[2]), int(row[3])) for row in rows]


def next_act_at(settings: Settings, now: datetime | None) -> datetime:
    """The instant of the next act; `now` as in `act_on_quarantine`."""
    clock = _query(settings, "select max(as_of) from pipeline.clock", [])
    return next_instant(settings, clock[0][0] if clock else None, now)


def _answering(what: str, rule: str | None) -> list[object]:
    source, _, entity = what.partition("/")
    return [source, entity, entity, what, what, what, rule, rule]


def _nothing(what: str) -> JourneylineError:
    return JourneylineError(
        "Nothing in quarantine answers to this name.",
        where=what,
        next_step="`journeyline quarantine list` shows what there is.",
        exit_code=EXIT_USAGE,
    )


def _query(settings: Settings, sql: str, parameters: list[object]) -> list[tuple[Any, ...]]:
    if not settings.warehouse.exists():
        return []
    with closing(connect(settings.warehouse, read_only=True)) as connection:
        try:
            _describe_acts(connection, settings)
            return connection.execute(sql, parameters).fetchall()
        except duckdb.CatalogException:
            return []


def _describe_acts(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """`quarantine_acts`: the last act on each row among those that no run has taken."""
    taken = {
        number for (number,) in connection.execute("select act_number from ingest.acts").fetchall()
    }
    connection.execute(
        "create temp table given_acts (act_number integer, act text, source text, entity text,"
        " delivery_id text, first_row bigint, last_row bigint)"
    )
    given = [
        [act.number, act.act, act.source, act.entity, delivery_id, first, last]
        for act in read_acts(settings)
        if act.number not in taken
        for delivery_id, runs in act.rows.items()
        for first, last in runs
    ]
    if given:
        connection.executemany("insert into given_acts values (?, ?, ?, ?, ?, ?, ?)", given)
    connection.execute(
        """
        create temp view quarantine_acts as
        select source as acted_source, entity as acted_entity, delivery_id as acted_delivery_id,
            acted_row_number, max_by(act, act_number) as act
        from (
            select *, unnest(range(first_row, last_row + 1)) as acted_row_number from given_acts
        )
        group by all
        """
    )
