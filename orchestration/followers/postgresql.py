"""PostgreSQL follows by a pointer over slots: nothing that a reader has is replaced under it.

Each table has one partition a slot; views show the slot that the one row of `pointer` names. A new
release is loaded into another slot, then the pointer moves: one row in one transaction. Grants, and
views that users built on these views, survive. A session that wants one release over several
queries begins a transaction with `repeatable read`. A slot is filled again by deleting rows, never
by truncating: planning a query locks every partition, and a long reader must neither wait nor lose
what its snapshot shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import duckdb

from orchestration import warehouse
from orchestration.connectors.rest import secret
from orchestration.followers.entries import PostgresEntry
from orchestration.publish import database

_TYPES = {
    "VARCHAR": "text",
    "BIGINT": "bigint",
    "INTEGER": "integer",
    "SMALLINT": "smallint",
    "DOUBLE": "double precision",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
}
Columns = Mapping[str, Mapping[str, str]]


def serve_release(entry: PostgresEntry, folder: Path, kept: frozenset[str]) -> str:
    """Load a release into another slot and move the pointer to it; gives the release's id.

    Args:
        entry: The follower.
        folder: The release.
        kept: Releases that the home keeps; slots of others are emptied, so nobody who was erased
            stays in one.
    """
    with _connected(entry) as connection:
        _prepare(connection, entry)
        if _pointed(connection, entry) != folder.name:
            slot = _free_slot(connection, entry)
            with closing(warehouse.connect(folder / database.FILE_NAME, read_only=True)) as release:
                columns = _published(release)
                _load(connection, release, entry, columns, slot)
            _vacuum(entry, [f"{table}_s{slot}" for table in columns])
            _flip(connection, entry, columns, slot, folder.name)
        _empty_others(connection, entry, kept)
    return folder.name


def served_release(entry: PostgresEntry) -> str | None:
    """The release that the database serves."""
    with _connected(entry) as connection:
        _prepare(connection, entry)
        return _pointed(connection, entry)


@contextmanager
def _connected(entry: PostgresEntry) -> Iterator[Any]:
    from adbc_driver_postgresql import dbapi

    with closing(dbapi.connect(secret(entry.url_from))) as connection:
        _run(connection, f"set lock_timeout = '{entry.lock_seconds}s'")
        connection.commit()
        yield connection


def _prepare(connection: Any, entry: PostgresEntry) -> None:
    """Make the schemas, the pointer and the role where they are missing."""
    data = f"{entry.schema_name}_data"
    for statement in (
        f"create schema if not exists {entry.schema_name}",
        f"create schema if not exists {data}",
        f"create table if not exists {data}.pointer (slot integer not null, "
        "release_id text not null, flipped_at timestamptz not null)",
        f"create unique index if not exists one_row on {data}.pointer ((true))",
        f"create table if not exists {data}.slots (slot integer primary key, release_id text, "
        "left_at timestamptz)",
        *(
            f"insert into {data}.slots (slot) values ({slot}) on conflict do nothing"
            for slot in range(entry.slots)
        ),
        f"do $$ begin if not exists (select from pg_roles where rolname = '{entry.reader_role}') "
        f"then create role {entry.reader_role}; end if; end $$",
        f"grant usage on schema {entry.schema_name} to {entry.reader_role}",
    ):
        _run(connection, statement)
    connection.commit()


def _free_slot(connection: Any, entry: PostgresEntry) -> int:
    """The slot that was left longest ago."""
    data = f"{entry.schema_name}_data"
    rows = _rows(
        connection,
        f"select slot from {data}.slots where slot not in (select slot from {data}.pointer) "
        f"and slot < {entry.slots} order by left_at nulls first, slot limit 1",
    )
    connection.commit()
    return int(rows[0][0])


def _published(release: duckdb.DuckDBPyConnection) -> Columns:
    rows = release.execute(
        "select table_name, column_name, data_type from duckdb_columns() "
        "where not internal order by table_name, column_index"
    ).fetchall()
    found: dict[str, dict[str, str]] = {}
    for table, column, data_type in rows:
        found.setdefault(str(table), {})[str(column)] = _type(str(data_type))
    return found


def _type(data_type: str) -> str:
    if data_type.startswith("DECIMAL"):
        return data_type.lower().replace("decimal", "numeric")
    return _TYPES[data_type]


def _load(
    connection: Any,
    release: duckdb.DuckDBPyConnection,
    entry: PostgresEntry,
    columns: Columns,
    slot: int,
) -> None:
    data = f"{entry.schema_name}_data"
    for table, typed in columns.items():
        _shape_table(connection, entry, table, typed)
        _run(connection, f"delete from {data}.{table}_s{slot}")
        names = ", ".join(typed)
        # ADBC sends a decimal as text; the staging table takes it, the partition casts it.
        staging = f"loading_{table}"
        _run(connection, f"drop table if exists pg_temp.{staging}")
        sent = ", ".join(
            f"{name}::varchar as {name}" if kind.startswith("numeric") else name
            for name, kind in typed.items()
        )
        made = ", ".join(
            f"{name} {'text' if kind.startswith('numeric') else kind}"
            for name, kind in typed.items()
        )
        _run(connection, f"create temp table {staging} ({made})")
        with closing(connection.cursor()) as cursor:
            reader = release.execute(f"select {sent} from {table}").to_arrow_reader()
            cursor.adbc_ingest(staging, reader, mode="append", temporary=True)
        cast = ", ".join(f"{name}::{kind}" for name, kind in typed.items())
        _run(
            connection,
            f"insert into {data}.{table}_s{slot} (slot, {names}) "
            f"select {slot}, {cast} from pg_temp.{staging}",
        )
        _run(connection, f"drop table pg_temp.{staging}")
    _run(connection, f"update {data}.slots set release_id = null where slot = {slot}")
    connection.commit()


def _shape_table(
    connection: Any, entry: PostgresEntry, table: str, typed: Mapping[str, str]
) -> None:
    """Make a table with its slots, or give it the columns that are new."""
    data = f"{entry.schema_name}_data"
    listed = ", ".join(f"{name} {kind}" for name, kind in typed.items())
    _run(
        connection,
        f"create table if not exists {data}.{table} (slot integer not null, {listed}) "
        "partition by list (slot)",
    )
    for slot in range(entry.slots):
        _run(
            connection,
            f"create table if not exists {data}.{table}_s{slot} "
            f"partition of {data}.{table} for values in ({slot})",
        )
    present = {
        name
        for (name,) in _rows(
            connection,
            "select column_name from information_schema.columns "
            f"where table_schema = '{data}' and table_name = '{table}'",
        )
    }
    for name, kind in typed.items():
        if name not in present:
            _run(connection, f"alter table {data}.{table} add column {name} {kind}")


def _flip(
    connection: Any, entry: PostgresEntry, columns: Columns, slot: int, release_id: str
) -> None:
    """Move the pointer; views are made or widened in the same transaction."""
    schema, data = entry.schema_name, f"{entry.schema_name}_data"
    for table, typed in columns.items():
        names = ", ".join(typed)
        shown = _rows(
            connection,
            "select string_agg(column_name, ', ' order by ordinal_position) "
            "from information_schema.columns "
            f"where table_schema = '{schema}' and table_name = '{table}'",
        )[0][0]
        if shown != names:
            _run(
                connection,
                f"create or replace view {schema}.{table} as select {names} from {data}.{table} "
                f"where slot = (select slot from {data}.pointer)",
            )
            _run(connection, f"grant select on {schema}.{table} to {entry.reader_role}")
    _run(
        connection,
        f"update {data}.slots set left_at = clock_timestamp() "
        f"where slot in (select slot from {data}.pointer)",
    )
    _run(connection, f"update {data}.slots set release_id = '{release_id}' where slot = {slot}")
    _run(
        connection,
        f"insert into {data}.pointer values ({slot}, '{release_id}', clock_timestamp()) "
        "on conflict ((true)) do update set slot = excluded.slot, "
        "release_id = excluded.release_id, flipped_at = excluded.flipped_at",
    )
    connection.commit()


def _empty_others(connection: Any, entry: PostgresEntry, kept: frozenset[str]) -> None:
    """Empty the slots of releases that the home does not keep any more."""
    data = f"{entry.schema_name}_data"
    rows = _rows(
        connection,
        f"select slot, release_id from {data}.slots where release_id is not null "
        f"and slot not in (select slot from {data}.pointer)",
    )
    tables = _rows(
        connection,
        "select relname from pg_partitioned_table inner join pg_class on pg_class.oid = partrelid "
        f"where relnamespace = '{data}'::regnamespace",
    )
    for slot, release_id in rows:
        if release_id not in kept:
            for (table,) in tables:
                _run(connection, f"delete from {data}.{table}_s{slot}")
            _run(connection, f"update {data}.slots set release_id = null where slot = {slot}")
            connection.commit()
            _vacuum(entry, [f"{table}_s{slot}" for (table,) in tables])
    connection.commit()


def _vacuum(entry: PostgresEntry, partitions: Sequence[str]) -> None:
    """Give back the room of deleted rows and refresh statistics, in no transaction."""
    from adbc_driver_postgresql import dbapi

    with closing(dbapi.connect(secret(entry.url_from), autocommit=True)) as connection:
        for partition in partitions:
            _run(connection, f"vacuum (analyze) {entry.schema_name}_data.{partition}")


def _pointed(connection: Any, entry: PostgresEntry) -> str | None:
    rows = _rows(connection, f"select release_id from {entry.schema_name}_data.pointer")
    connection.commit()
    return str(rows[0][0]) if rows else None


def _run(connection: Any, statement: str) -> None:
    with closing(connection.cursor()) as cursor:
        cursor.execute(statement)


def _rows(connection: Any, statement: str) -> list[tuple[Any, ...]]:
    with closing(connection.cursor()) as cursor:
        cursor.execute(statement)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found
