"""The published tables as sorted Parquet, equal bytes for equal rows.

Belongs here: writing the files whose rows changed, and linking the others to the release before.
Rows are compared by an order-free fingerprint (`months`), which costs a scan where a sorted export
costs many. Only the columns of a product contract are read from the warehouse.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from orchestration.errors import JourneylineError
from orchestration.gate.contracts import ProductContract
from orchestration.publish import files
from orchestration.publish.describing import literal
from orchestration.publish.months import ROWS_PER_GROUP, Month, months_of

FOLDER = "parquet"
Found = Mapping[str, Mapping[str, str]]
# A parallel sum of floats differs in its last digits from run to run.
_FLOAT_DECIMALS = 9


@dataclass(frozen=True)
class Part:
    """One Parquet file of a candidate.

    Args:
        table: The table.
        path: Its path in the release.
        sha256: Hash of its bytes.
        bytes_count: Its size.
        is_linked: It is a hard link to the file of the release before.
        month: Its rows.
    """

    table: str
    path: str
    sha256: str
    bytes_count: int
    is_linked: bool
    month: Month

    @property
    def rows(self) -> int:
        """Its rows."""
        return self.month.rows


@dataclass(frozen=True)
class Served:
    """The release that is served, as far as its files can be taken over.

    Args:
        folder: Where it is.
        files: Its manifest's entry per file.
    """

    folder: Path
    files: Mapping[str, Mapping[str, Any]]


def select_published(contract: ProductContract, found: Mapping[str, str]) -> str:
    """SQL of a contract's columns; one that the warehouse lacks is left for the audit to find.

    Args:
        contract: The table's contract.
        found: Type per column that the warehouse has.
    """
    columns = [column.name for column in contract.columns if column.name in found]
    if not columns:
        raise JourneylineError(
            f"{contract.schema}.{contract.table} has none of its contract's columns.",
            f"data_contracts/products/{contract.table}.odcs.yaml",
            "Bring the model and its contract together.",
        )
    cells = contract.small_cells
    selected = ", ".join(
        f"case when {cells.condition} then null else {_rounded(name, found[name])} end as {name}"
        if cells is not None and name in cells.hidden and {cells.by, cells.people} <= set(found)
        else _published(name, found[name])
        for name in columns
    )
    return f"select {selected} from source.{contract.schema}.{contract.table}"


def export_tables(
    connection: duckdb.DuckDBPyConnection,
    contracts: Sequence[ProductContract],
    found: Found,
    release: Path,
    served: Served | None,
) -> list[Part]:
    """Write or link `parquet/<table>/*.parquet` of every table, a core a file.

    Several threads in one sorted file cost 1.7 times the CPU of one.

    Args:
        connection: Has the warehouse attached as `source`.
        contracts: One per published table.
        found: Type per column and table that the warehouse has.
        release: Folder of the candidate.
        served: The release whose unchanged files are linked; None where there is none.
    """
    connection.execute("set threads to 1")
    with ThreadPoolExecutor(_cores()) as pool:
        waiting = [
            pool.submit(_part, connection.cursor(), file, release, served)
            for contract in contracts
            for file in _files(connection, contract, found[contract.table], release)
        ]
        return [part.result() for part in waiting]


@dataclass(frozen=True)
class _File:
    """A file to be: its table, its path, its rows in SQL, their order, and what they are."""

    table: str
    path: str
    select: str
    order: str
    month: Month


def _files(
    connection: duckdb.DuckDBPyConnection,
    contract: ProductContract,
    columns: Mapping[str, str],
    release: Path,
) -> Iterator[_File]:
    folder = f"{FOLDER}/{contract.table}"
    (release / folder).mkdir(parents=True)
    select = select_published(contract, columns)
    order = _order(contract, columns)
    for month in months_of(connection, contract, select, order, columns):
        yield _File(contract.table, f"{folder}/{month.name}.parquet", select, order, month)


def _part(
    connection: duckdb.DuckDBPyConnection, file: _File, release: Path, served: Served | None
) -> Part:
    """Link the file of the same rows, or write it; what comes out with equal bytes is linked."""
    target = release / file.path
    is_linked = served is not None and _link(target, file.path, file.month.fingerprint, served)
    if served is not None and is_linked:
        sha256 = str(served.files[file.path]["sha256"])
    else:
        _export(connection, file, target)
        sha256 = files.sha256_of(target)
    if served is not None and not is_linked:
        is_linked = _link_equal(target, file.path, sha256, served)
    size = target.stat().st_size
    return Part(file.table, file.path, sha256, size, is_linked, file.month)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _export(connection: duckdb.DuckDBPyConnection, file: _File, target: Path) -> None:
    written = connection.execute(
        f"copy ({file.select} where {file.month.condition} order by {file.order}) "
        f"to {literal(str(target))} "
        f"(format parquet, compression zstd, row_group_size {ROWS_PER_GROUP})"
    ).fetchone()
    if written is None or written[0] != file.month.rows:
        raise JourneylineError(
            f"{file.table} has other rows than were counted a moment ago.",
            str(target.name),
            "Nothing else may write to the warehouse; run again.",
        )


def _link(target: Path, path: str, fingerprint: str, served: Served) -> bool:
    """Link the served file of the same rows; that it has its bytes yet is proved with the seal."""
    entry = served.files.get(path, {})
    source = served.folder / path
    if entry.get("fingerprint") != fingerprint or not source.is_file():
        return False
    if source.stat().st_size != entry["bytes"]:
        return False
    os.link(source, target)
    return True


def _link_equal(target: Path, path: str, sha256: str, served: Served) -> bool:
    """Link the served file of the same bytes although its fingerprint says nothing."""
    source = served.folder / path
    if served.files.get(path, {}).get("sha256") != sha256 or not source.is_file():
        return False
    if files.sha256_of(source) != sha256:
        return False
    temporary = target.with_name(target.name + ".link")
    os.link(source, temporary)
    os.replace(temporary, target)
    return True


def _order(contract: ProductContract, columns: Mapping[str, str]) -> str:
    return ", ".join(f"{name} nulls last" for name in contract.sort_key if name in columns) or "all"


def _published(name: str, data_type: str) -> str:
    rounded = _rounded(name, data_type)
    return name if rounded == name else f"{rounded} as {name}"


def _rounded(name: str, data_type: str) -> str:
    return f"round({name}, {_FLOAT_DECIMALS})" if data_type in ("DOUBLE", "FLOAT") else name
