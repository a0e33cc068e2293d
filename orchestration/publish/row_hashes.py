"""The hash that each row of a mart carries, and whether it can be believed.

Belongs here: the SQL of the hash and of the check by which a table enforces it, as the dbt macro
`row_hash` writes them, and finding out whether a table does. What is told by it belongs to
`months`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb

COLUMN = "row_hash"


def row_hash(columns: Sequence[str]) -> str:
    """SQL of the hash of a row, as the dbt macro of the same name writes it.

    Args:
        columns: Every column of the table but the hash, in the table's order.
    """
    return f"cast(hash({', '.join(columns)}) >> 1 as bigint)"


def check(columns: Sequence[str]) -> str:
    """SQL of the constraint by which a table enforces its rows' hashes."""
    return f"check ({COLUMN} = {row_hash(columns)})"


def are_enforced(
    connection: duckdb.DuckDBPyConnection,
    schema: str,
    table: str,
    columns: Mapping[str, str],
) -> bool:
    """Whether the warehouse keeps every row's hash equal to that of all its other columns.

    Args:
        connection: Has the warehouse attached as `source`.
        schema: The table's schema there.
        table: The table.
        columns: Type per column that it has there, in its order.
    """
    others = [_quoted(name) for name in columns if name != COLUMN]
    if columns.get(COLUMN) != "BIGINT" or not others:
        return False
    # DuckDB says how it writes the check that is wanted: texts are compared, not parsed here.
    listed = ", ".join(f"{_quoted(name)} {kind}" for name, kind in columns.items())
    probe = connection.cursor()
    probe.execute(f"create or replace temp table wanted ({listed}, {check(others)})")
    wanted = _checks(probe, "temp", "main", "wanted")
    probe.execute("drop table temp.wanted")
    return bool(wanted) and wanted <= _checks(probe, "source", schema, table)


def _checks(
    connection: duckdb.DuckDBPyConnection, database: str, schema: str, table: str
) -> set[str]:
    rows = connection.execute(
        "select expression from duckdb_constraints() where constraint_type = 'CHECK' "
        "and database_name = ? and schema_name = ? and table_name = ?",
        [database, schema, table],
    ).fetchall()
    return {str(expression) for (expression,) in rows}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
