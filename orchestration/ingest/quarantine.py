"""Quarantine: what broke the contracts, for people to look at. Reads only."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.settings import Settings
from orchestration.warehouse import connect


@dataclass(frozen=True)
class QuarantineGroup:
    """Rows of one table that broke one rule, with the span of their arrival."""

    source: str
    entity: str
    rule: str
    row_count: int
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


def list_quarantine(settings: Settings, source: str | None = None) -> list[QuarantineGroup]:
    """Counts per source, entity and rule; empty when nothing was loaded yet.

    Args:
        settings: The home folder.
        source: Only this source.
    """
    rows = _query(
        settings,
        """
        select source, entity, rule, count(*), count(distinct delivery_id),
            min(first_seen_at), max(last_seen_at)
        from ingest.quarantine_rows
        where ?::text is null or source = ?
        group by source, entity, rule
        order by source, entity, rule
        """,
        [source, source],
    )
    return [QuarantineGroup(*row) for row in rows]


def show_quarantine(settings: Settings, what: str, limit: int = 20) -> list[QuarantinedRow]:
    """Quarantined rows, newest first.

    Args:
        settings: The home folder.
        what: A `quarantine_id` (or its beginning), `source` or `source/entity`.
        limit: Rows at most.

    Raises:
        JourneylineError: Nothing in quarantine answers to it.
    """
    source, _, entity = what.partition("/")
    rows = _query(
        settings,
        """
        select quarantine_id, source, entity, delivery_id, row_number, rule, column_name, value,
            payload, received_at
        from ingest.quarantine_rows
        where (source = ? and (? = '' or entity = ?))
            or (strlen(?) >= 6 and starts_with(quarantine_id, ?))
        order by received_at desc, source, entity, delivery_id desc, row_number
        limit ?
        """,
        [source, entity, entity, what, what, limit],
    )
    if not rows:
        raise JourneylineError(
            "Nothing in quarantine answers to this name.",
            where=what,
            next_step="`journeyline quarantine list` shows what there is.",
            exit_code=EXIT_USAGE,
        )
    return [QuarantinedRow(*row) for row in rows]


def _query(settings: Settings, sql: str, parameters: list[object]) -> list[tuple[Any, ...]]:
    if not settings.warehouse.exists():
        return []
    with closing(connect(settings.warehouse, read_only=True)) as connection:
        try:
            return connection.execute(sql, parameters).fetchall()
        except duckdb.CatalogException:
            return []
