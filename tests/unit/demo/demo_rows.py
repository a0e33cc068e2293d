"""What the tests of the demo company share: landed bytes and rows, and shares with their error."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

import duckdb

CUSTOMERS = 2000
NIGHTS = 20


def landed(home: Path) -> dict[str, bytes]:
    """Every landed byte by path."""
    landing = home / "landing"
    return {
        str(path.relative_to(landing)): path.read_bytes()
        for path in sorted(landing.rglob("*"))
        if path.is_file()
    }


def rows_of(home: Path, source: str, entity: str, only: str = "*") -> list[dict[str, Any]]:
    """All records of an NDJSON entity that can be read, in the order they lie in."""
    rows = []
    for path in sorted((home / "landing" / source / entity).glob(f"{only}/{entity}.ndjson*")):
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
        for line in text.splitlines():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                continue
    return rows


def csv_of(home: Path, source: str, entity: str) -> str:
    """SQL that reads all rows of a CSV entity as text."""
    return (
        f"(select * from read_csv('{home}/landing/{source}/{entity}/*/*.csv', all_varchar = true))"
    )


def share(connection: duckdb.DuckDBPyConnection, query: str) -> float:
    """The one number of a query."""
    row = connection.execute(query).fetchone()
    assert row is not None
    return float(row[0])


def assert_within_error(hits: int, trials: int, planted: float, sigmas: float = 4) -> None:
    """A found share is the planted one, but for the error of a sample of its size."""
    assert trials > 0
    error = math.sqrt(planted * (1 - planted) / trials)
    found = hits / trials
    assert abs(found - planted) <= sigmas * error, f"{found:.4f} of {trials}, planted {planted}"
