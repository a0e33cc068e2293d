"""What retention is in force, what it took and what it would take now; nothing is changed here."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

import duckdb

from orchestration import warehouse
from orchestration.ingest.contracts import Contract, load_contracts
from orchestration.ingest.tables import quoted
from orchestration.privacy.handles import Retention, load_privacy
from orchestration.privacy.retention import (
    RetentionAct,
    acts_of,
    age_columns,
    age_sql,
    horizon_of,
    is_due,
    kept_days,
    read_retention_acts,
)
from orchestration.settings import Settings

NEXT_RUN = "next run"


@dataclass(frozen=True)
class TableRetention:
    """Retention of one source table; times are UTC.

    Args:
        source: Its source.
        entity: Its name in the source.
        days: Days that rows are kept; None where they are kept for ever now.
        age_columns: Columns whose newest time is a row's age; none means its arrival.
        horizon: Rows older than this would go at the as-of of the warehouse.
        old_rows: Rows of the raw table that are older; None where nothing is loaded.
        due: When a run looks for them.
        erased_rows: Rows that went so far.
        last_at: As-of of the run that last looked.
        last_horizon: Horizon of that run.
    """

    source: str
    entity: str
    days: int | None
    age_columns: tuple[str, ...]
    horizon: datetime | None
    old_rows: int | None
    due: str | None
    erased_rows: int
    last_at: datetime | None
    last_horizon: datetime | None


def report_retention(settings: Settings) -> list[TableRetention]:
    """Every table that has a retention, or of which rows went, in the order of their names.

    Raises:
        JourneylineError: `privacy.yml` or a contract cannot be used (exit 2).
    """
    from orchestration.pipeline import state

    kept = kept_days(settings)
    contracts = load_contracts(settings)
    acts = read_retention_acts(settings)
    policy = load_privacy(settings).retention
    as_of = state.current_as_of(settings)
    found = []
    for table in sorted({*kept, *(act.table for act in acts)} & set(contracts)):
        days, earlier = kept.get(table), acts_of(acts, table)
        last = max(earlier, key=lambda act: act.at, default=None)
        horizon = horizon_of(days, as_of) if days is not None and as_of is not None else None
        found.append(
            TableRetention(
                *table,
                days=days,
                age_columns=age_columns(contracts[table]),
                horizon=horizon,
                old_rows=_old_rows(settings, contracts[table], horizon),
                due=None if days is None else _due(policy, days, earlier, as_of),
                erased_rows=sum(act.erased_rows for act in earlier),
                last_at=last.at if last else None,
                last_horizon=last.horizon if last else None,
            )
        )
    return found


def _due(policy: Retention, days: int, earlier: list[RetentionAct], as_of: datetime | None) -> str:
    if as_of is None or policy.every == "night" or is_due(policy, days, earlier, as_of):
        return NEXT_RUN
    return "first run of next month"


def _old_rows(settings: Settings, contract: Contract, horizon: datetime | None) -> int | None:
    if horizon is None or not settings.warehouse.exists():
        return None
    places = {column.name: quoted(column.name) for column in contract.columns}
    age = age_sql(contract, places, "_received_at")
    with closing(warehouse.connect(settings.warehouse, read_only=True)) as connection:
        try:
            row = connection.execute(
                f"select count(*) from {contract.table} where {age} < ?", [horizon]
            ).fetchone()
        except duckdb.CatalogException:
            return None
    return int(row[0]) if row else None
