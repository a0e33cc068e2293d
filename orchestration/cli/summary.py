"""What a person wants to know after a run, read from the current release and the row ledger."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import duckdb

from orchestration import warehouse
from orchestration.settings import Settings

_RECORDS = "select count(*) from bridge_customer_records"
_CUSTOMERS = "select count(*) from dim_customers"
_JOURNEYS = """
    select
        journeys.journey,
        coalesce(journeys.outcome, 'open in ' || journeys.current_stage) as state,
        count(*) as journeys_count
    from fct_journeys as journeys
    group by all
    order by journeys.journey, min(journeys.outcome) nulls last, journeys_count desc, state
"""
_KPIS = """
    select
        kpi_values.kpi,
        kpi_values.period_start,
        cast(kpi_values.value as double) as value,
        cast(kpi_values.target as double) as target
    from fct_kpi_values as kpi_values
    where
        kpi_values.grain = 'month'
        and kpi_values.slice_type = 'all'
        and kpi_values.value is not null
        and kpi_values.period_start < date_trunc('month', cast(? as timestamp))
    qualify row_number() over (
        partition by kpi_values.kpi order by kpi_values.period_start desc
    ) = 1
    order by kpi_values.kpi
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


def show_summary(summary: dict[str, Any]) -> None:
    """Print a run's summary for a person."""
    import sys

    from rich.console import Console
    from rich.panel import Panel

    console = Console(width=None if sys.stdout.isatty() else 100)
    console.print(Panel("\n".join(_lines(summary)), title=_title(summary), title_align="left"))


def format_value(kpi: str, value: float | None) -> str:
    """A KPI's value as a person reads it, by the unit in its name."""
    if value is None:
        return "-"
    if kpi.endswith(("_rate", "_share")) or kpi in ("churn", "conversion", "activation", "csat"):
        return f"{value:.1%}"
    return f"{value:,.1f}"


def _title(summary: dict[str, Any]) -> str:
    if summary["nothing_new"]:
        return "nothing new: nothing was published"
    if not summary.get("published"):
        return "same content: no new release was needed"
    return f"release {summary['release_id']}"


def _lines(summary: dict[str, Any]) -> list[str]:
    nights = summary.get("nights") or []
    lines = []
    if nights:
        span = str(nights[0]) if len(nights) == 1 else f"{nights[0]} to {nights[-1]}"
        lines.append(f"[bold]Nights[/bold]        {len(nights)} ({span})")
    lines.append(
        f"[bold]Customers[/bold]     {summary['customers']:,} unified from "
        f"{summary['records']:,} source records"
    )
    for journey, states in summary["journeys"].items():
        told = ", ".join(f"{count:,} {state}" for state, count in states.items())
        lines.append(f"[bold]Journeys[/bold]      {journey}: {told}")
    lines += _kpi_lines(summary["kpis"])
    lines.append(
        f"[bold]Rows[/bold]          {summary['accepted_rows']:,} accepted, "
        f"{summary['quarantined_rows']:,} quarantined, {summary['duplicate_rows']:,} duplicates"
    )
    lines += [f"[yellow]Refused[/yellow]       {line}" for line in summary["refused"]]
    lines += [f"[yellow]Held[/yellow]          {line}" for line in summary["held"]]
    checks = summary["checks"]
    lines.append(
        f"[bold]Checks[/bold]        {checks['passed']} passed, {checks['warned']} warned, "
        f"{checks['failed']} failed"
    )
    lines.append(f"[bold]Release[/bold]       {summary['release_path']}")
    lines.append(f"[bold]Took[/bold]          {summary['seconds']} s")
    return [*lines, "", *_next(summary)]


def _kpi_lines(kpis: list[dict[str, Any]]) -> list[str]:
    lines = []
    for index, kpi in enumerate(kpis):
        head = "[bold]KPIs[/bold]          " if index == 0 else " " * 14
        value, target = (format_value(kpi["kpi"], kpi[key]) for key in ("value", "target"))
        month = f"{kpi['period_start']:%Y-%m}"
        lines.append(f"{head}{kpi['kpi']:<32} {value:>10}  target {target:>9}  ({month})")
    return lines


def _next(summary: dict[str, Any]) -> list[str]:
    lines = ["Next: [cyan]journeyline status[/cyan], or [cyan]make ui[/cyan] for the graph"]
    if summary["quarantined_rows"]:
        lines.append("      [cyan]journeyline quarantine list[/cyan] for the rows set aside")
    return lines


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
            "journeys": _journeys(connection),
            "kpis": _kpis(connection, _as_of(connection)),
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


def _journeys(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, int]]:
    journeys: dict[str, dict[str, int]] = {}
    for journey, state, count in connection.execute(_JOURNEYS).fetchall():
        journeys.setdefault(journey, {})[state] = count
    return journeys


def _kpis(
    connection: duckdb.DuckDBPyConnection, as_of: datetime | date | None
) -> list[dict[str, Any]]:
    rows = connection.execute(_KPIS, [as_of]).fetchall()
    return [
        {"kpi": kpi, "period_start": period, "value": value, "target": target}
        for kpi, period, value, target in rows
    ]
