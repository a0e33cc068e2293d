"""The DuckDB file of a candidate: the published tables, and the tables that describe them.

Belongs here: what stands in `journeyline.duckdb` and how it gets there. Only the columns of a
product contract are read from the warehouse, so nothing else can be published.
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
from orchestration.settings import Settings

FILE_NAME = "journeyline.duckdb"
STORAGE_VERSION = "v1.0.0"
# A parallel sum of floats differs in its last digits from run to run.
_FLOAT_DECIMALS = 9
Fingerprints = dict[str, tuple[int, str]]


def build_database(
    settings: Settings, contracts: Sequence[ProductContract], path: Path, spill: Path
) -> None:
    """Write every published table and `_inputs`, `_columns`, in one transaction, and close.

    Args:
        settings: The home whose warehouse is read.
        contracts: One per published table.
        path: The file to write.
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
        found = _require_tables(connection, settings, contracts)
        connection.execute(
            f"attach {describing.literal(str(path))} as candidate "
            f"(storage_version '{STORAGE_VERSION}')"
        )
        connection.execute("use candidate")
        connection.execute("begin transaction")
        for contract in contracts:
            _create_table(connection, contract, found[contract.table])
        describing.create_inputs(connection)
        describing.create_columns(connection, contracts)
        connection.execute("commit")
        connection.execute("checkpoint candidate")
        connection.execute("use memory")
        connection.execute("detach candidate")
    finally:
        connection.close()
    _require_closed(path)


def describe_release(path: Path, release: describing.Release) -> None:
    """Add `_checks` and `_release`, in one transaction, and close."""
    connection = warehouse.connect(path)
    try:
        connection.execute("begin transaction")
        describing.create_checks(connection, release.checks)
        describing.create_release(connection, release)
        connection.execute("commit")
        connection.execute("checkpoint")
    finally:
        connection.close()
    _require_closed(path)


@contextmanager
def reading(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection to a candidate's file."""
    connection = warehouse.connect(path, read_only=True)
    try:
        yield connection
    finally:
        connection.close()


def fingerprints(connection: duckdb.DuckDBPyConnection) -> Fingerprints:
    """Rows and order-free hash of every table; comparable within one DuckDB version only."""
    tables = connection.execute(
        "select table_name from duckdb_tables() where database_name = current_database() "
        "order by table_name"
    ).fetchall()
    result: Fingerprints = {}
    for (table,) in tables:
        row = connection.execute(
            f'select count(*), coalesce(sum(hash(t)::hugeint), 0)::varchar from "{table}" as t'
        ).fetchone()
        assert row is not None
        result[str(table)] = (int(row[0]), str(row[1]))
    return result


def _require_tables(
    connection: duckdb.DuckDBPyConnection, settings: Settings, contracts: Sequence[ProductContract]
) -> dict[str, dict[str, str]]:
    """Columns and types per published table, as the warehouse has them."""
    rows = connection.execute(
        "select schema_name, table_name, column_name, data_type from duckdb_columns() "
        "where database_name = 'source'"
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


def _create_table(
    connection: duckdb.DuckDBPyConnection, contract: ProductContract, found: dict[str, str]
) -> None:
    """Copy the contract's columns; one that the warehouse lacks is left for the audit to find."""
    columns = [column for column in contract.columns if column.name in found]
    if not columns:
        raise JourneylineError(
            f"{contract.schema}.{contract.table} has none of its contract's columns.",
            f"data_contracts/products/{contract.table}.odcs.yaml",
            "Bring the model and its contract together.",
        )
    selected = ", ".join(_published(column.name, found[column.name]) for column in columns)
    order = ", ".join(f"{name} nulls last" for name in contract.sort_key if name in found)
    connection.execute(
        f"create table main.{contract.table} as select {selected} "
        f"from source.{contract.schema}.{contract.table} order by {order or 'all'}"
    )
    described = {column.name: column.description for column in columns}
    describing.comment(connection, contract.table, contract.description, described)


def _published(name: str, data_type: str) -> str:
    if data_type in ("DOUBLE", "FLOAT"):
        return f"round({name}, {_FLOAT_DECIMALS}) as {name}"
    return name


def _require_closed(path: Path) -> None:
    wal = path.with_name(path.name + ".wal")
    if wal.exists():
        raise JourneylineError(
            "The candidate's DuckDB file was not closed cleanly.",
            str(wal),
            "Run again; the release that is served did not change.",
        )
    files.sync(path)
    files.sync(path.parent)
