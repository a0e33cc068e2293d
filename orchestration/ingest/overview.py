"""Overview: per source table what has landed, what waits, and how the last delivery fared."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.ingest.contracts import Contract, load_contracts
from orchestration.ingest.landing import list_deliveries
from orchestration.ingest.sources import load_sources
from orchestration.settings import Settings
from orchestration.warehouse import connect


@dataclass(frozen=True)
class SourceTable:
    """One table of a source.

    Args:
        source: Source system.
        entity: Table of the source.
        vendor: Who makes the system.
        owner: Team that answers for the table.
        is_enabled: Whether runs load it.
        format: What its files hold, such as csv.
        delivery_count: Deliveries in landing.
        waiting_count: Those that no run has taken.
        last_received_at: Arrival of the newest one.
        last_status: What the newest loaded one came to: loaded, refused or held.
        quarantined_count: Rows in quarantine.
    """

    source: str
    entity: str
    vendor: str
    owner: str
    is_enabled: bool
    format: str
    delivery_count: int
    waiting_count: int
    last_received_at: datetime | None
    last_status: str | None
    quarantined_count: int


def list_sources(settings: Settings) -> list[SourceTable]:
    """Every table that has a contract, in the order of `sources.yml`.

    Raises:
        JourneylineError: A contract or `sources.yml` is wrong.
    """
    sources = load_sources(settings)
    contracts = load_contracts(settings)
    landed: dict[tuple[str, str], list[tuple[datetime, str]]] = {}
    for delivery in list_deliveries(settings):
        place = landed.setdefault((delivery.source, delivery.entity), [])
        place.append((delivery.received_at, delivery.delivery_id))
    loaded = {
        (source, entity, delivery_id): status
        for source, entity, delivery_id, status in _rows(
            settings, "select source, entity, delivery_id, status from ingest.deliveries"
        )
    }
    quarantined = {
        (source, entity): count
        for source, entity, count in _rows(
            settings, "select source, entity, count(*) from ingest.quarantine_rows group by all"
        )
    }
    found = []
    for name, source in sources.items():
        for key, contract in contracts.items():
            if key[0] == name:
                deliveries = landed.get(key, [])
                known = [d for _, d in deliveries if (*key, d) in loaded]
                found.append(
                    SourceTable(
                        source=name,
                        entity=contract.entity,
                        vendor=source.vendor,
                        owner=contract.owner,
                        is_enabled=source.enabled,
                        format=contract.format,
                        delivery_count=len(deliveries),
                        waiting_count=len(deliveries) - len(known),
                        last_received_at=deliveries[-1][0] if deliveries else None,
                        last_status=loaded[(*key, known[-1])] if known else None,
                        quarantined_count=quarantined.get(key, 0),
                    )
                )
    return found


@dataclass(frozen=True)
class DriftRecord:
    """One change of what is delivered; see `orchestration.ingest.drift` for the kinds."""

    source: str
    entity: str
    column_name: str
    change: str
    detail: str | None
    delivery_id: str
    received_at: datetime


def list_drift(settings: Settings, source: str | None = None) -> list[DriftRecord]:
    """Every recorded change, newest first; empty when nothing was loaded yet.

    Args:
        settings: The home folder.
        source: Only this source.
    """
    rows = _rows(
        settings,
        """
        select source, entity, column_name, change, detail, delivery_id, received_at
        from ingest.drift order by received_at desc, source, entity, column_name, change
        """,
    )
    return [DriftRecord(*row) for row in rows if source in (None, row[0])]


def table_named(settings: Settings, label: str) -> Contract:
    """The contract of a `source/entity` that deliveries can be landed for.

    Raises:
        JourneylineError: There is no such contract, or its source is not listed (exit 2).
    """
    contracts = load_contracts(settings)
    source, _, entity = label.partition("/")
    contract = contracts.get((source, entity))
    if contract is None:
        near = [c.label for c in contracts.values() if c.source == source or c.entity == entity]
        told = f"Known are {', '.join(near)}." if near else "`journeyline sources list` shows all."
        raise JourneylineError(
            f"No contract describes {label}.",
            where=str(settings.contracts / "sources"),
            next_step=f"{told} docs/your-own-data.md says how to add one.",
            exit_code=EXIT_USAGE,
        )
    if source not in load_sources(settings):
        raise JourneylineError(
            f"The source {source} is not listed.",
            where=str(settings.config / "sources.yml"),
            next_step=f"Add an entry named {source} to it.",
            exit_code=EXIT_USAGE,
        )
    return contract


def _rows(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    if not settings.warehouse.exists():
        return []
    with closing(connect(settings.warehouse, read_only=True)) as connection:
        try:
            return connection.execute(sql).fetchall()
        except duckdb.CatalogException:
            return []
