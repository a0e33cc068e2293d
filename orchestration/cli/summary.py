"""What a person wants to know after a run, read from the current release and the row ledger."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import duckdb

from orchestration import warehouse
from orchestration.journey.definitions import load_journeys
from orchestration.measure.definitions import load_kpis
from orchestration.settings import Settings

_RECORDS = "select count(*) from bridge_customer_records"
_CUSTOMERS = "select count(*) from dim_customers"
_JOURNEYS = """
    select
        journeys.journey,
        journeys.outcome is not null as has_ended,
        coalesce(journeys.outcome, journeys.current_stage) as state,
        count(*) as journeys_count
    from fct_journeys as journeys
    group by all
"""
_KPIS = """
    select
        kpi_values.kpi,
        kpi_values.period_start,
        cast(kpi_values.value as double) as value
    from fct_kpi_values as kpi_values
    where
        kpi_values.grain = 'month'
        and kpi_values.slice_type = 'all'
        and kpi_values.value is not null
        and kpi_values.period_start < date_trunc('month', cast(? as timestamp))
    qualify row_number() over (
        partition by kpi_values.kpi order by kpi_values.period_start desc
    ) = 1
"""
_LEDGER = """
    select
        count(*) filter (deliveries.status = 'loaded'),
        count(*) filter (deliveries.status = 'refused'),
        count(*) filter (deliveries.status = 'held'),
        coalesce(sum(deliveries.accepted_count), 0),
        coalesce(sum(deliveries.quarantined_count), 0),
        coalesce(sum(deliveries.duplicate_count), 0)
    from ingest.deliveries as deliveries
    where ?::bigint is null or deliveries.load_number = ?::bigint
"""
_TROUBLED = """
    select deliveries.source || '/' || deliveries.entity || ' ' || deliveries.delivery_id
        || coalesce(': ' || deliveries.reason, '')
    from ingest.deliveries as deliveries
    where deliveries.status = ? and deliveries.load_number = (
        select max(newest.load_number) from ingest.deliveries as newest
    )
    order by all
"""


def summarize(settings: Settings) -> dict[str, Any]:
    """The figures of the current release and of everything loaded; lists are of the last load."""
    return {**_loaded(settings), **_released(settings)}


def _loaded(settings: Settings) -> dict[str, Any]:
    connection = warehouse.connect(settings.warehouse, read_only=True)
    try:
        row = connection.execute(_LEDGER, [None, None]).fetchone() or (0, 0, 0, 0, 0, 0)
        troubled = {
            status: [line for (line,) in connection.execute(_TROUBLED, [status]).fetchall()]
            for status in ("refused", "held")
        }
        clock = connection.execute("select as_of from pipeline.clock").fetchone()
    finally:
        connection.close()
    return {
        "as_of": clock[0] if clock else None,
        "deliveries": {"loaded": row[0], "refused": row[1], "held": row[2]},
        "accepted_rows": int(row[3]),
        "quarantined_rows": int(row[4]),
        "duplicate_rows": int(row[5]),
        **troubled,
    }


def _released(settings: Settings) -> dict[str, Any]:
    folder = settings.current.resolve()
    connection = warehouse.connect(folder / "journeyline.duckdb", read_only=True)
    try:
        checks = dict(
            connection.execute("select verdict, count(*) from _checks group by all").fetchall()
        )
        return {
            "release_id": folder.name,
            "release_path": str(folder),
            "customers": _count(connection, _CUSTOMERS),
            "records": _count(connection, _RECORDS),
            "journeys": _journeys(connection, settings),
            "kpis": _kpis(connection, settings, _as_of(connection)),
            "checks": {word: checks.get(word, 0) for word in ("passed", "warned", "failed")},
        }
    finally:
        connection.close()


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def _as_of(connection: duckdb.DuckDBPyConnection) -> datetime | date | None:
    row = connection.execute("select max(as_of) from _release").fetchone()
    return row[0] if row else None


def _journeys(
    connection: duckdb.DuckDBPyConnection, settings: Settings
) -> dict[str, dict[str, dict[str, int]]]:
    """Per journey: instances waiting in each stage, in the stages' order, and ended by outcome."""
    counted = connection.execute(_JOURNEYS).fetchall()
    journeys: dict[str, dict[str, dict[str, int]]] = {}
    for definition in load_journeys(settings):
        mine = {(bool(e), s): int(n) for j, e, s, n in counted if j == definition.journey}
        stages = [
            stage.stage for stage in definition.stages if stage.stage != definition.goal_stage
        ]
        known = [*stages, *sorted({s for ended, s in mine if not ended} - set(stages))]
        journeys[definition.journey] = {
            "open": {stage: mine.get((False, stage), 0) for stage in known},
            "ended": {state: count for (ended, state), count in sorted(mine.items()) if ended},
        }
    return journeys


def _kpis(
    connection: duckdb.DuckDBPyConnection, settings: Settings, as_of: datetime | date | None
) -> list[dict[str, Any]]:
    """Each KPI's last complete month, in the order of `kpis.yml`; None where it has no value."""
    rows = connection.execute(_KPIS, [as_of]).fetchall()
    values = {kpi: (period, value) for kpi, period, value in rows}
    told = []
    for kpi in load_kpis(settings):
        period, value = values.get(kpi.kpi, (None, None))
        target = float(kpi.target)
        reached = value is not None and (
            value >= target if kpi.direction == "up" else value <= target
        )
        told.append(
            {
                "kpi": kpi.kpi,
                "unit": kpi.unit,
                "direction": kpi.direction,
                "period_start": period,
                "value": value,
                "target": target,
                "is_reached": None if value is None else reached,
            }
        )
    return told
