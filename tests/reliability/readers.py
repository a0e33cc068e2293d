"""A reader that never stops asking, run as a process of its own.

An answer is a session: several queries with moments between them, whose markers have to be one.
Usage: python readers.py KIND HOME FOLDER; it ends when FOLDER/stop is there and leaves its counts.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb

MARKERS = {
    "dim_customers": "country",
    "fct_identity_history": "change",
    "fct_touchpoints": "handling_seconds",
}
_PAUSE = 0.002
Query = Callable[[str], list[Any]]


def new_connection(home: Path) -> Iterator[Callable[[], set[str]]]:
    """A connection a session, by the path that every tool is given."""

    def ask() -> set[str]:
        path = str(home / "current" / "journeyline.duckdb")
        with closing(duckdb.connect(path, read_only=True)) as connection:
            return markers(lambda sql: connection.execute(sql).fetchall(), lambda table: table)

    while True:
        yield ask


def pooled(home: Path) -> Iterator[Callable[[], set[str]]]:
    """SQLAlchemy's default pool: its connections may stay on the release that they began with."""
    import sqlalchemy

    path = home / "current" / "journeyline.duckdb"
    options = {"connect_args": {"read_only": True}}
    engine = sqlalchemy.create_engine(f"duckdb:///{path}", **options)

    def ask() -> set[str]:
        with engine.connect() as connection:
            return markers(
                lambda sql: connection.execute(sqlalchemy.text(sql)).fetchall(), lambda table: table
            )

    for number in range(sys.maxsize):
        if number % 50 == 0:
            engine.dispose()
        yield ask


def pinned_parquet(home: Path) -> Iterator[Callable[[], set[str]]]:
    """Parquet files of the folder that `current` led to when the session began."""

    def ask() -> set[str]:
        folder = (home / "current").resolve() / "parquet"
        with closing(duckdb.connect()) as connection:
            return markers(
                lambda sql: connection.execute(sql).fetchall(),
                lambda table: f"read_parquet('{folder}/{table}/*.parquet')",
            )

    while True:
        yield ask


KINDS = {kind.__name__: kind for kind in (new_connection, pooled, pinned_parquet)}


def markers(query: Query, place: Callable[[str], str]) -> set[str]:
    """Every marker that a session sees."""
    seen: set[str] = set()
    for table, column in MARKERS.items():
        rows = query(f"select distinct {column}::varchar from {place(table)}")
        seen |= {str(row[0]) for row in rows}
        time.sleep(_PAUSE)
    return seen


def main(kind: str, home: Path, folder: Path) -> None:
    """Ask until told to stop; leave what was seen."""
    counts: dict[str, Any] = {"answers": 0, "torn": 0, "invalid": 0, "releases": 0, "error": None}
    seen: set[str] = set()
    for ask in KINDS[kind](home):
        if (folder / "stop").exists():
            break
        try:
            found = ask()
        except Exception as error:
            counts["invalid"] += 1
            counts["error"] = f"{type(error).__name__}: {error}"
            continue
        counts["answers"] += 1
        counts["torn"] += len(found) != 1
        seen |= found
        (folder / f"{kind}.started").touch()
    counts["releases"] = len(seen)
    (folder / f"{kind}.json").write_text(json.dumps(counts))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
