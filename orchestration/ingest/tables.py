"""The loader's own tables in the warehouse: raw tables from contracts, and the row ledger."""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from orchestration.ingest.contracts import Contract

LINEAGE = (
    ("_delivery_id", "text"),
    ("_received_at", "timestamp"),
    ("_row_number", "bigint"),
    ("_load_number", "integer"),
    ("_row_hash", "ubigint"),
)

_LEDGER = """
create schema if not exists raw;
create schema if not exists ingest;
create schema if not exists pipeline;
create table if not exists ingest.deliveries (
    source text, entity text, delivery_id text, received_at timestamp, status text, reason text,
    file_name text, sha256 text, byte_count bigint, landed_count bigint, accepted_count bigint,
    quarantined_count bigint, duplicate_count bigint, erased_count bigint, load_number integer,
    aged_count bigint
);
alter table ingest.deliveries add column if not exists aged_count bigint default 0;
create table if not exists ingest.quarantine_rows (
    quarantine_id text, source text, entity text, delivery_id text, row_number bigint, rule text,
    column_name text, value text, payload text, received_at timestamp, first_seen_at timestamp,
    last_seen_at timestamp, state text
);
alter table ingest.quarantine_rows add column if not exists state text;
create table if not exists ingest.acts (
    act_number integer, act text, acted_at timestamp, source text, entity text, row_count bigint,
    load_number integer
);
create table if not exists ingest.drift (
    source text, entity text, delivery_id text, column_name text, change text,
    received_at timestamp, detail text
);
alter table ingest.drift add column if not exists detail text;
create table if not exists ingest.headers (source text, entity text, header text);
create table if not exists ingest.loads (
    load_number integer, as_of timestamp, deliveries_count integer
);
create table if not exists ingest.contracts (source text, entity text, fingerprint text);
create table if not exists pipeline.clock (as_of timestamp, night date);
"""


def ensure_tables(
    connection: duckdb.DuckDBPyConnection, contracts: Iterable[Contract]
) -> list[str]:
    """Create what is missing; a table whose contract changed is emptied and loaded anew.

    Returns:
        Labels of the tables whose contract changed.
    """
    connection.execute(_LEDGER)
    known: dict[tuple[str, str], str] = {
        (source, entity): fingerprint
        for source, entity, fingerprint in connection.execute(
            "select source, entity, fingerprint from ingest.contracts"
        ).fetchall()
    }
    stale = [c for c in contracts if known.get((c.source, c.entity)) != c.fingerprint]
    if stale:
        connection.execute("begin")
        try:
            for contract in stale:
                _create(connection, contract)
            connection.execute("commit")
        except BaseException:
            connection.execute("rollback")
            raise
    return [c.label for c in stale if (c.source, c.entity) in known]


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """A text as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def _create(connection: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    place = [contract.source, contract.entity]
    columns = [f"{quoted(c.name)} {c.stored_type}" for c in contract.columns]
    columns += [f"{name} {kind}" for name, kind in LINEAGE]
    connection.execute(f"drop table if exists {contract.table}")
    connection.execute(f"create table {contract.table} ({', '.join(columns)})")
    for table in ("deliveries", "quarantine_rows", "drift", "headers", "acts", "contracts"):
        connection.execute(f"delete from ingest.{table} where source = ? and entity = ?", place)
    connection.execute(
        "insert into ingest.contracts values (?, ?, ?)", [*place, contract.fingerprint]
    )
