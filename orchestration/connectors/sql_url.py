"""Any database that SQLAlchemy has a URL for: row by row, so slower than the Arrow path."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ColumnClause,
    Connection,
    Select,
    column,
    create_engine,
    func,
    select,
    table,
    text,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from orchestration.connectors.databases import DatabaseFeed, explained
from orchestration.connectors.rest import secret


class SqlUrlFeed(DatabaseFeed):
    """One table or query of a database behind a SQLAlchemy URL."""

    def check(self) -> str:
        """Ask for no row."""
        with self._asking() as connection:
            found = connection.execute(self._all().limit(0))
            return f"answers; {len(list(found.keys()))} columns"

    def newest(self) -> dict[str, str] | None:
        """The highest value of the cursor column, with its type."""
        cursor: ColumnClause[Any] = column(self.table.cursor_column or "")
        with self._asking() as connection:
            value = connection.execute(
                select(func.max(cursor)).select_from(self._source())
            ).scalar()
            return None if value is None else _kept(value)

    def batches(self, since: Any, until: Any) -> Iterator[list[str]]:
        """Rows as JSON lines, `batch_rows` at a time."""
        query = self._all()
        if self.table.cursor_column is not None:
            cursor: ColumnClause[Any] = column(self.table.cursor_column)
            query = query.where(cursor <= _given(until)).order_by(cursor)
            if since is not None:
                query = query.where(cursor >= _earlier(_given(since), self.entry.overlap_minutes))
        with self._asking() as connection:
            found = connection.execution_options(stream_results=True).execute(query)
            names = list(found.keys())
            for rows in found.partitions(self.entry.batch_rows):
                yield [
                    json.dumps(
                        {name: _plain(value) for name, value in zip(names, row, strict=True)},
                        ensure_ascii=False,
                    )
                    for row in rows
                ]

    def _all(self) -> Select[Any]:
        return select(text("*")).select_from(self._source())

    def _source(self) -> Any:
        if self.table.table is None:
            return text(f"({self.table.query}) as fetched")
        schema, _, name = self.table.table.rpartition(".")
        return table(name, schema=schema or None)

    @contextmanager
    def _asking(self) -> Iterator[Connection]:
        address = secret(self.entry.url_from)
        try:
            engine = create_engine(address, poolclass=NullPool, hide_parameters=True)
            with engine.connect() as connection:
                yield connection
        except (SQLAlchemyError, ImportError) as error:
            raise explained("The database", self.contract.label, error, address) from None


def _kept(value: Any) -> dict[str, str]:
    """A cursor value as it is kept in the cursor file."""
    return {"type": type(value).__name__, "value": str(_plain(value))}


def _given(kept: dict[str, str]) -> Any:
    """A cursor value as the database wants it."""
    value = kept["value"]
    readers: dict[str, Any] = {
        "int": int,
        "float": float,
        "Decimal": Decimal,
        "datetime": lambda told: datetime.fromisoformat(told.replace("Z", "+00:00")),
        "date": date.fromisoformat,
    }
    return readers.get(kept["type"], str)(value)


def _earlier(value: Any, minutes: float) -> Any:
    """A cursor value less the overlap; numbers and texts that are no instant stay as they are."""
    span = timedelta(minutes=minutes)
    if isinstance(value, datetime):
        return value - span
    if isinstance(value, date):
        return value - timedelta(days=1)
    if isinstance(value, str):
        return _earlier_text(value, span)
    return value


def _earlier_text(value: str, span: timedelta) -> str:
    """An instant written as text, earlier, and written in the same way."""
    try:
        instant = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        return value
    if len(value) <= len("2025-03-04"):
        return (instant - timedelta(days=1)).date().isoformat()
    precision = "microseconds" if "." in value else "seconds"
    written = (instant - span).isoformat(sep=value[10], timespec=precision)
    return written.replace("+00:00", "Z") if value.endswith("Z") else written


def _plain(value: Any) -> Any:
    """A value as JSON that loses nothing: what JSON has no word for is text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return value.isoformat()
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, list | tuple | dict):
        return json.loads(json.dumps(value, default=str))
    return str(value)
