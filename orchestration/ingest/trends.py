"""Trends: how much of each table went to quarantine, night by night, and masked samples of it.

For people who look at a source in the UI. No value leaves here as it was delivered: letters and
digits are masked, and columns of persons show nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

from orchestration.ingest.contracts import Contract, load_contracts
from orchestration.settings import Settings
from orchestration.warehouse import connect

NIGHTS = 14
SAMPLES = 5
_SHOWN = ("public", "internal")
_SAMPLE_LENGTH = 40


@dataclass(frozen=True)
class NightOfTable:
    """What one night brought to one table.

    Args:
        night: Day of arrival, UTC.
        landed_count: Rows delivered.
        quarantined_count: Rows of them that are in quarantine.
    """

    night: date
    landed_count: int
    quarantined_count: int


@dataclass(frozen=True)
class Sample:
    """One quarantined row, masked."""

    rule: str
    column_name: str | None
    masked_value: str | None
    row_count: int


@dataclass(frozen=True)
class QuarantineTrend:
    """The quarantine of one table.

    Args:
        waiting_count: Rows that nobody decided about.
        discarded_count: Rows that will never be taken.
        nights: The last nights with a delivery, oldest first.
        samples: One masked value for the most frequent rules and columns.
    """

    waiting_count: int
    discarded_count: int
    nights: tuple[NightOfTable, ...]
    samples: tuple[Sample, ...]


def quarantine_trends(settings: Settings) -> dict[str, QuarantineTrend]:
    """The quarantine of every table that has had a delivery, by `source/entity`."""
    contracts = load_contracts(settings)
    with closing(connect(settings.warehouse, read_only=True)) as connection:
        counts = _counts(connection)
        nights = _nights(connection)
        samples = _samples(connection, contracts)
    return {
        label: QuarantineTrend(*counts.get(label, (0, 0)), tuple(found), samples.get(label, ()))
        for label, found in nights.items()
    }


def masked(value: str | None) -> str | None:
    """The shape of a value: letters as x, digits as 9, at most 40 characters."""
    if value is None:
        return None
    shape = re.sub(r"[^\W\d_]", "x", re.sub(r"\d", "9", value))
    return shape if len(shape) <= _SAMPLE_LENGTH else f"{shape[:_SAMPLE_LENGTH]}…"


def _counts(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[int, int]]:
    rows = connection.execute(
        """
        select source || '/' || entity, count_if(state is distinct from 'discarded'),
            count_if(state = 'discarded')
        from ingest.quarantine_rows group by 1
        """
    ).fetchall()
    return {label: (waiting, discarded) for label, waiting, discarded in rows}


def _nights(connection: duckdb.DuckDBPyConnection) -> dict[str, list[NightOfTable]]:
    rows = connection.execute(
        """
        select source || '/' || entity as label, received_at::date as night,
            sum(landed_count)::bigint, sum(quarantined_count)::bigint
        from ingest.deliveries group by 1, 2
        qualify row_number() over (partition by label order by night desc) <= ?
        order by label, night
        """,
        [NIGHTS],
    ).fetchall()
    found: dict[str, list[NightOfTable]] = {}
    for label, night, landed, quarantined in rows:
        found.setdefault(label, []).append(NightOfTable(night, landed, quarantined))
    return found


def _samples(
    connection: duckdb.DuckDBPyConnection, contracts: Mapping[tuple[str, str], Contract]
) -> dict[str, tuple[Sample, ...]]:
    rows: list[tuple[Any, ...]] = connection.execute(
        """
        select source, entity, rule, column_name,
            min_by(value, (received_at, delivery_id, row_number)), count(*) as row_count
        from ingest.quarantine_rows
        group by source, entity, rule, column_name
        qualify row_number() over (
            partition by source, entity order by row_count desc, rule, column_name
        ) <= ?
        order by source, entity, row_count desc, rule, column_name
        """,
        [SAMPLES],
    ).fetchall()
    found: dict[str, tuple[Sample, ...]] = {}
    for source, entity, rule, column_name, value, count in rows:
        contract = contracts.get((source, entity))
        classes = {c.name: c.classification for c in contract.columns} if contract else {}
        is_shown = classes.get(column_name) in _SHOWN
        sample = Sample(rule, column_name, masked(value) if is_shown else None, count)
        label = f"{source}/{entity}"
        found[label] = (*found.get(label, ()), sample)
    return found
