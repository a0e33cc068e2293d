"""A run's summary as a person reads it; what it says is gathered in `summary`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

_UNITS = {"share": ("{:.1%}", ""), "days": ("{:,.1f}", " d"), "hours": ("{:,.1f}", " h")}
_BETTER = {"up": "at least", "down": "at most"}


def show_summary(summary: Mapping[str, Any]) -> None:
    """Print a run's summary."""
    console = Console(width=None if sys.stdout.isatty() else 100, highlight=False)
    body = Group(_facts(summary), Text(), _kpi_table(summary["kpis"]), Text(), *_next(summary))
    console.print(Panel(body, title=_title(summary), title_align="left", padding=(1, 2)))


def format_value(unit: str, value: float | None) -> str:
    """A KPI's value as a person reads it."""
    if value is None:
        return "–"
    pattern, suffix = _UNITS.get(unit, ("{:,.1f}", ""))
    return pattern.format(value) + suffix


def _title(summary: Mapping[str, Any]) -> str:
    if summary["nothing_new"]:
        return "nothing new: nothing was published"
    if not summary.get("published"):
        return "same content: no new release was needed"
    return f"published {summary['release_id']}"


def _facts(summary: Mapping[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, told in _fact_rows(summary):
        table.add_row(label, told)
    return table


def _fact_rows(summary: Mapping[str, Any]) -> Iterator[tuple[str, RenderableType]]:
    nights = summary.get("nights") or []
    if nights:
        span = f"{nights[0]}" if len(nights) == 1 else f"{nights[0]} to {nights[-1]}"
        yield "Nights", f"{len(nights)} ({span})"
    yield (
        "Customers",
        (f"{summary['customers']:,} unified from {summary['records']:,} source records"),
    )
    for journey, states in summary["journeys"].items():
        waiting = " → ".join(f"{stage} {count:,}" for stage, count in states["open"].items())
        ended = ", ".join(f"{count:,} {outcome}" for outcome, count in states["ended"].items())
        yield "Journeys", f"{journey}: {ended or 'none has ended'}"
        yield "", f"now under way: {waiting}"
    yield (
        "Rows",
        (
            f"{summary['accepted_rows']:,} accepted, {summary['duplicate_rows']:,} duplicates, "
            f"{summary['quarantined_rows']:,} quarantined"
        ),
    )
    for line in summary["refused"]:
        yield "Refused", Text(line, style="yellow")
    for line in summary["held"]:
        yield "Held", Text(line, style="yellow")
    checks = summary["checks"]
    yield "Checks", ", ".join(f"{count} {verdict}" for verdict, count in checks.items() if count)
    yield "Release", str(summary["release_path"])
    yield "Took", f"{summary['seconds']} s"


def _kpi_table(kpis: list[Mapping[str, Any]]) -> Table:
    """Every KPI with its last complete month against the target."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, header_style="bold")
    table.add_column("KPI")
    table.add_column("month")
    table.add_column("value", justify="right")
    table.add_column("target", justify="right")
    table.add_column("")
    for kpi in kpis:
        reached = kpi["is_reached"]
        verdict = {
            True: Text("✓ on target", style="green"),
            False: Text("✗ off target", style="red"),
            None: Text("no value yet", style="dim"),
        }[reached]
        month = f"{kpi['period_start']:%Y-%m}" if kpi["period_start"] else "–"
        target = f"{_BETTER[kpi['direction']]} {format_value(kpi['unit'], kpi['target'])}"
        table.add_row(kpi["kpi"], month, format_value(kpi["unit"], kpi["value"]), target, verdict)
    return table


def _next(summary: Mapping[str, Any]) -> Iterator[Text]:
    yield Text.from_markup(
        "Next: [cyan]make ui[/cyan] for the graph, "
        "[cyan]journeyline releases show[/cyan] for the tables"
    )
    if summary["quarantined_rows"]:
        yield Text.from_markup(
            "      [cyan]journeyline quarantine list[/cyan] for the rows that were set aside"
        )
