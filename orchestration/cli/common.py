"""What the commands share: the settings, JSON, tables, progress."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from orchestration.settings import Settings


class Day(click.ParamType[date]):
    """A day written YYYY-MM-DD."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """The day, or a usage error that says how to write one."""
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a day; write it like 2025-03-04.", param, ctx)


def settings_of(context: click.Context) -> Settings:
    """The settings of this call: `--home` before the environment."""
    settings = Settings.from_environment()
    home = (context.obj or {}).get("home")
    return (
        dataclasses.replace(settings, home=Path(home).expanduser().resolve()) if home else settings
    )


def echo_json(value: Any) -> None:
    """Print a value as JSON; dataclasses, times and decimals included."""
    click.echo(json.dumps(value, default=_plain, indent=2, ensure_ascii=False))


def echo_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows as a table."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    width = None if sys.stdout.isatty() else 160
    Console(width=width).print(table)


def as_mapping(value: Any) -> Mapping[str, Any]:
    """A report as a mapping, whether it is a dataclass, a model or a mapping already."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if hasattr(value, "model_dump"):
        dumped: Mapping[str, Any] = value.model_dump()
        return dumped
    return dict(value)


@contextmanager
def progress(title: str) -> Iterator[Callable[[str], None]]:
    """Show what a long command is doing: a live line in a terminal, plain lines elsewhere."""
    if not sys.stderr.isatty():
        yield lambda line: click.echo(line, err=True) if line.endswith("…") else None
        return
    from rich.console import Console

    with Console(stderr=True).status(title) as status:

        def told(line: str) -> None:
            if line.endswith("…"):
                status.console.print(f"[dim]{line}[/dim]")
            status.update(line)

        yield told


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if hasattr(value, "model_dump"):
        return value.model_dump()
    if isinstance(value, datetime):
        return value.isoformat() + ("Z" if value.tzinfo is None else "")
    if isinstance(value, date | Path):
        return str(value)
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
