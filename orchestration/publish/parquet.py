"""The published tables as sorted Parquet, equal bytes for equal rows.

Belongs here: which files a table has, writing them, and linking those that did not change.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from orchestration.gate.contracts import ProductContract
from orchestration.publish import files
from orchestration.publish.describing import literal

FOLDER = "parquet"
_ROWS_PER_GROUP = 122_880


def export_tables(
    connection: duckdb.DuckDBPyConnection, contracts: Sequence[ProductContract], release: Path
) -> None:
    """Write `parquet/<table>/*.parquet` of every table of the candidate.

    Args:
        connection: The candidate's DuckDB file, read-only.
        contracts: One per published table.
        release: Folder of the candidate.
    """
    for contract in contracts:
        folder = release / FOLDER / contract.table
        folder.mkdir(parents=True)
        order = _order(connection, contract)
        for name, condition in _parts(connection, contract):
            connection.execute(
                f"copy (select * from {contract.table} {condition} order by {order}) "
                f"to {literal(str(folder / name))} "
                f"(format parquet, compression zstd, row_group_size {_ROWS_PER_GROUP})"
            )


def link_unchanged(release: Path, current: Path | None, known: Mapping[str, str]) -> dict[str, str]:
    """Put hard links to the current release's files in the place of equal ones.

    Args:
        release: Folder of the candidate.
        current: Folder of the release that is served, if there is one.
        known: SHA-256 per relative path that the served release's manifest states.

    Returns:
        SHA-256 per relative path of the candidate's Parquet files.
    """
    hashes: dict[str, str] = {}
    for name in files.files_under(release / FOLDER):
        relative = f"{FOLDER}/{name}"
        path = release / relative
        hashes[relative] = files.sha256_of(path)
        if current is None or known.get(relative) != hashes[relative]:
            continue
        served = current / relative
        # The bytes are read again: a file that was tampered with must not spread.
        if served.is_file() and files.sha256_of(served) == hashes[relative]:
            temporary = path.with_name(path.name + ".link")
            os.link(served, temporary)
            os.replace(temporary, path)
    return hashes


def _order(connection: duckdb.DuckDBPyConnection, contract: ProductContract) -> str:
    present = _columns(connection, contract)
    return ", ".join(f"{name} nulls last" for name in contract.sort_key if name in present) or "all"


def _parts(
    connection: duckdb.DuckDBPyConnection, contract: ProductContract
) -> list[tuple[str, str]]:
    """File name and condition of each part; a table without rows still has one file."""
    whole = [(f"{contract.table}.parquet", "")]
    month = contract.month_column
    if month is None or month not in _columns(connection, contract):
        return whole
    rows = connection.execute(
        f"select distinct strftime({month}, '%Y-%m') from {contract.table} "
        f"where {month} is not null order by 1"
    ).fetchall()
    return [
        (
            f"{name}.parquet",
            f"where {month} >= timestamp '{name}-01' "
            f"and {month} < timestamp '{name}-01' + interval 1 month",
        )
        for (name,) in rows
    ] or whole


def _columns(connection: duckdb.DuckDBPyConnection, contract: ProductContract) -> set[str]:
    rows = connection.execute(
        "select column_name from duckdb_columns() "
        "where database_name = current_database() and table_name = ?",
        [contract.table],
    ).fetchall()
    return {str(name) for (name,) in rows}
