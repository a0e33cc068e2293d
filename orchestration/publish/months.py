"""Which Parquet files a table has, and what their rows are, told by order-free fingerprints.

A mart that is incremental by customer carries in each row the hash of its other columns, and its
table in the warehouse enforces it by a check: whoever writes, no row can change without it. Adding
up that narrow column tells what a month holds; of other tables every published column is read.
Belongs here: a table's months and their fingerprints. Writing and linking the files belongs to
`parquet`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from orchestration.gate.contracts import ProductContract
from orchestration.publish import row_hashes

# Rows without a time, which no contract allows: the audit finds them.
UNDATED = "undated"
ROWS_PER_GROUP = 122_880
# Whoever changes how a file is written changes this, so that no old file is taken for a new one.
_LAYOUT = 1


@dataclass(frozen=True)
class Month:
    """The rows of one file.

    Args:
        name: Name of the file, such as `2025-03`; the table's where it has one file.
        condition: SQL that is true for its rows, and for no other row of the table.
        rows: Their number.
        fingerprint: What they are, whatever their order; comparable within a version of DuckDB.
        total: Sum of the hashes of the rows as they are published; None where they were not read.
    """

    name: str
    condition: str
    rows: int
    fingerprint: str
    total: int | None


def months_of(
    connection: duckdb.DuckDBPyConnection,
    contract: ProductContract,
    select: str,
    order: str,
    columns: Mapping[str, str],
) -> list[Month]:
    """The months of a table, oldest first; no rows still make one file.

    Args:
        connection: Has the warehouse attached as `source`.
        contract: The table's contract.
        select: SQL of its rows as they are published.
        order: SQL of their order.
        columns: Type per column that the warehouse has, in its order.
    """
    month = contract.month_column
    if month is None or month not in columns:
        return [_whole(connection, contract, select, order, columns)]
    sums = _told(connection, contract, columns, month)
    is_read = sums is None
    if sums is None:
        sums = connection.execute(
            f"select {_number(month)}, count(*), sum(hash(t)::hugeint)::varchar "
            f"from ({select}) as t group by 1 order by 1 nulls last"
        ).fetchall()
    if not sums:
        return [_whole(connection, contract, select, order, columns)]
    layout = _layout(select, order, columns, is_read)
    return [
        Month(
            name=_name(number),
            condition=_within(month, number),
            rows=int(rows),
            fingerprint=f"{layout}:{rows}:{total}",
            total=int(total) if is_read else None,
        )
        for number, rows, total in sums
    ]


def published_sum(connection: duckdb.DuckDBPyConnection, select: str) -> tuple[int, int]:
    """Number of rows and sum of their hashes.

    Args:
        connection: Has the warehouse attached as `source`.
        select: SQL of rows as they are published.
    """
    row = connection.execute(
        f"select count(*), coalesce(sum(hash(t)::hugeint), 0)::varchar from ({select}) as t"
    ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def _whole(
    connection: duckdb.DuckDBPyConnection,
    contract: ProductContract,
    select: str,
    order: str,
    columns: Mapping[str, str],
) -> Month:
    rows, total = published_sum(connection, select)
    layout = _layout(select, order, columns, is_read=True)
    return Month(contract.table, "true", rows, f"{layout}:{rows}:{total}", total)


def _told(
    connection: duckdb.DuckDBPyConnection,
    contract: ProductContract,
    columns: Mapping[str, str],
    month: str,
) -> list[tuple[int | None, int, str]] | None:
    """Month, rows and sum of what the rows carry; None where that cannot be believed."""
    if not row_hashes.are_enforced(connection, contract.schema, contract.table, columns):
        return None
    sums = connection.execute(
        f"select {_number(month)}, count(*), sum({row_hashes.COLUMN})::varchar, "
        f"count(*) filter ({row_hashes.COLUMN} is null) "
        f"from source.{contract.schema}.{contract.table} group by 1 order by 1 nulls last"
    ).fetchall()
    # A check holds for what is null.
    if any(unhashed for _, _, _, unhashed in sums):
        return None
    return [(number, rows, total) for number, rows, total, _ in sums]


def _number(month: str) -> str:
    """202503 of a time in March 2025: a number groups rows at half of what text costs."""
    return f"year({month}) * 100 + month({month})"


def _name(number: int | None) -> str:
    return UNDATED if number is None else f"{number // 100:04d}-{number % 100:02d}"


def _within(month: str, number: int | None) -> str:
    if number is None:
        return f"({month} is null or not isfinite({month}))"
    start = f"timestamp '{_name(number)}-01'"
    return f"{month} >= {start} and {month} < {start} + interval 1 month"


def _layout(select: str, order: str, columns: Mapping[str, str], is_read: bool) -> str:
    """What else than rows decides a file's bytes, and what its rows are told by."""
    told_by = "rows" if is_read else row_hashes.COLUMN
    said = [_LAYOUT, duckdb.__version__, select, order, dict(columns), ROWS_PER_GROUP, told_by]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]
