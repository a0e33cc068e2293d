"""The DuckDB file of a candidate: the published tables, and the tables that describe them.

Belongs here: what stands in `journeyline.duckdb` and how it gets there. It is made of the
candidate's own Parquet files: rows are copied, or, where a release is too large for that, the
tables of one file a month are views over the files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from orchestration import warehouse
from orchestration.errors import JourneylineError
from orchestration.gate.contracts import ProductContract
from orchestration.publish import describing, files
from orchestration.publish.parquet import Found, Part
from orchestration.settings import Settings

FILE_NAME = "journeyline.duckdb"
STORAGE_VERSION = "v1.0.0"
Fingerprints = dict[str, tuple[int, str]]


@contextmanager
def warehouse_attached(
    settings: Settings, contracts: Sequence[ProductContract], spill: Path
) -> Iterator[tuple[duckdb.DuckDBPyConnection, Found]]:
    """A connection with the warehouse read-only as `source`, and the columns of its tables.

    Args:
        settings: The home whose warehouse is read.
        contracts: One per published table.
        spill: Folder for what does not fit in memory.

    Raises:
        JourneylineError: The warehouse or one of its tables is missing.
    """
    if not settings.warehouse.exists():
        raise JourneylineError(
            "There is no warehouse to publish from.",
            str(settings.warehouse),
            "Run `journeyline run`, which builds it.",
        )
    connection = warehouse.connect(":memory:")
    try:
        connection.execute(f"set temp_directory = {describing.literal(str(spill))}")
        connection.execute(
            f"attach {describing.literal(str(settings.warehouse))} as source (read_only)"
        )
        yield connection, _require_tables(connection, settings, contracts)
    finally:
        connection.close()


def build_database(
    connection: duckdb.DuckDBPyConnection,
    contracts: Sequence[ProductContract],
    parts: Sequence[Part],
    folder: Path,
    viewed: frozenset[str] = frozenset(),
) -> None:
    """Write every published table and `_inputs`, `_columns`, in one transaction, and close.

    Args:
        connection: Has the warehouse attached as `source`.
        contracts: One per published table.
        parts: The candidate's Parquet files.
        folder: The candidate.
        viewed: Tables that are views over their Parquet.
    """
    path = folder / FILE_NAME
    # Two threads that keep the order of many files write parts of row groups and then write them
    # again: 2.5 times the CPU and twice the file.
    connection.execute("set threads = 1")
    connection.execute(
        f"attach {describing.literal(str(path))} as candidate (storage_version '{STORAGE_VERSION}')"
    )
    connection.execute("use candidate")
    connection.execute("begin transaction")
    for contract in contracts:
        paths = [part.path for part in parts if part.table == contract.table]
        if contract.table in viewed:
            create_view(connection, contract.table, folder, paths)
        else:
            source = read_files(folder, paths)
            connection.execute(f"create table main.{contract.table} as select * from {source}")
        describing.comment_contract(connection, contract, is_view=contract.table in viewed)
    describing.create_inputs(connection)
    describing.create_columns(connection, contracts)
    connection.execute("commit")
    connection.execute("checkpoint candidate")
    connection.execute("use memory")
    connection.execute("detach candidate")
    require_closed(path)


def describe_release(
    folder: Path,
    release: describing.Release,
    contracts: Sequence[ProductContract],
    views: dict[str, list[str]],
    home: Path,
) -> None:
    """Add `_checks` and `_release`, in one transaction, and close.

    Args:
        folder: The candidate.
        release: What it says about itself.
        contracts: One per published table.
        views: Paths of the files per table that is a view; they are led to where they will be.
        home: Where the release will be.
    """
    path = folder / FILE_NAME
    with standing_at(folder, home):
        connection = warehouse.connect(path)
        try:
            connection.execute("begin transaction")
            described = {contract.table: contract for contract in contracts}
            for table, paths in views.items():
                create_view(connection, table, home, paths)
                describing.comment_contract(connection, described[table], is_view=True)
            describing.create_checks(connection, release.checks)
            describing.create_release(connection, release)
            connection.execute("commit")
            connection.execute("checkpoint")
        finally:
            connection.close()
    require_closed(path)


def read_files(folder: Path, paths: Sequence[str]) -> str:
    """SQL that reads Parquet files in their order."""
    listed = ", ".join(describing.literal(str(folder / path)) for path in paths)
    return f"read_parquet([{listed}], hive_partitioning = false)"


def create_view(
    connection: duckdb.DuckDBPyConnection, table: str, folder: Path, paths: Sequence[str]
) -> None:
    """Make a table a view over Parquet files, which have to be there."""
    source = read_files(folder, paths)
    connection.execute(f"create or replace view main.{table} as select * from {source}")


@contextmanager
def reading(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection to a candidate's file."""
    connection = warehouse.connect(path, read_only=True)
    try:
        yield connection
    finally:
        connection.close()


def fingerprints(
    connection: duckdb.DuckDBPyConnection, known: Fingerprints | None = None
) -> Fingerprints:
    """Rows and order-free hash of every table; comparable within one DuckDB version only.

    What a view shows is its Parquet files, which have hashes of their own.

    Args:
        connection: A candidate's file.
        known: Fingerprints of tables that need not be read; None reads all.
    """
    tables = connection.execute(
        "select table_name from duckdb_tables() where database_name = current_database() "
        "order by table_name"
    ).fetchall()
    result: Fingerprints = {}
    for (table,) in tables:
        if known is not None and table in known:
            result[str(table)] = known[table]
            continue
        row = connection.execute(
            f'select count(*), coalesce(sum(hash(t)::hugeint), 0)::varchar from "{table}" as t'
        ).fetchone()
        assert row is not None
        result[str(table)] = (int(row[0]), str(row[1]))
    return result


def require_closed(path: Path) -> None:
    """Refuse a file whose write-ahead log is still there, and make it durable.

    Raises:
        JourneylineError: The file was not closed cleanly.
    """
    wal = path.with_name(path.name + ".wal")
    if wal.exists():
        raise JourneylineError(
            "The candidate's DuckDB file was not closed cleanly.",
            str(wal),
            "Run again; the release that is served did not change.",
        )
    files.sync(path)
    files.sync(path.parent)


@contextmanager
def standing_at(folder: Path, home: Path) -> Iterator[None]:
    """Let a candidate be found where it will be: DuckDB binds a view when it is made."""
    home.symlink_to(folder, target_is_directory=True)
    try:
        yield
    finally:
        home.unlink()


def _require_tables(
    connection: duckdb.DuckDBPyConnection, settings: Settings, contracts: Sequence[ProductContract]
) -> dict[str, dict[str, str]]:
    """Columns and types per published table, as the warehouse has them."""
    rows = connection.execute(
        "select schema_name, table_name, column_name, data_type from duckdb_columns() "
        "where database_name = 'source' order by schema_name, table_name, column_index"
    ).fetchall()
    found: dict[tuple[str, str], dict[str, str]] = {}
    for schema, table, column, data_type in rows:
        found.setdefault((schema, table), {})[column] = data_type
    needed = [(c.schema, c.table) for c in contracts]
    needed += [("ingest", "deliveries"), ("pipeline", "clock")]
    missing = [f"{schema}.{table}" for schema, table in needed if (schema, table) not in found]
    if missing:
        raise JourneylineError(
            f"The warehouse lacks what is to be published: {', '.join(missing)}.",
            str(settings.warehouse),
            "Run `journeyline run`, which builds every table, then publishes.",
        )
    return {c.table: found[(c.schema, c.table)] for c in contracts}
