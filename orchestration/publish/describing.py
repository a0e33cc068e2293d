"""The tables that describe a release: `_inputs`, `_columns`, `_checks`, `_release`.

They alone may hold run ids and clock times, and they are in the DuckDB file only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from orchestration.gate.audit import CheckResult
from orchestration.gate.contracts import ProductContract
from orchestration.gate.operator import Operator


@dataclass(frozen=True)
class Release:
    """What a release says about itself; times are UTC."""

    release_id: str
    content_hash: str
    previous_release_id: str | None
    as_of: datetime
    created_at: datetime
    run_id: str
    code_version: str | None
    is_code_dirty: bool | None
    configuration_hash: str
    contracts_hash: str
    configuration: dict[str, str]
    engine_version: str
    storage_version: str
    checks: tuple[CheckResult, ...]
    operator: Operator | None = None
    retention: tuple[Mapping[str, object], ...] = ()

    @property
    def published_by(self) -> str | None:
        """The person who published it by hand."""
        return self.operator.by if self.operator else None

    @property
    def published_reason(self) -> str | None:
        """Why that person did."""
        return self.operator.reason if self.operator else None

    @property
    def published_despite(self) -> str | None:
        """Failing checks despite which it was published, by comma."""
        return ", ".join(self.operator.despite) or None if self.operator else None


_INPUTS = {
    "source": "Source of the delivery.",
    "entity": "Entity of the delivery in its source.",
    "delivery_id": "Delivery; its arrival and the hash of its bytes.",
    "status": "loaded, refused or held.",
    "reason": "Why it was refused or held; null when it was loaded, or retention where rows of it "
    "went by age.",
    "file_name": "File of the delivery.",
    "sha256": "SHA-256 of the file as received.",
    "byte_count": "Bytes of the file as received.",
    "landed_count": "Rows in the file; 0 when it was refused.",
    "accepted_count": "Rows taken.",
    "quarantined_count": "Rows that broke the contract and wait in quarantine.",
    "duplicate_count": "Rows that were here before.",
    "erased_count": "Rows erased since, by request or by age.",
    "aged_count": "Of the erased rows, those that went by age (reason `retention`).",
    "received_at": "Arrival of the delivery, UTC.",
}
_COLUMNS = {
    "table_name": "Table of this release.",
    "column_name": "Column of that table.",
    "data_type": "Its type.",
    "description": "Meaning, unit and null rule.",
    "classification": "Class of personal data.",
    "unit": "Unit of a number; null where it has none.",
    "is_key": "Whether it is part of the table's primary key.",
    "references_column": "Table and column that it points to; null when it is no foreign key.",
    "column_number": "Position in the table, from 1.",
}
_CHECKS = {
    "check_name": "Name of the check.",
    "table_name": "Table it is about.",
    "column_name": "Column it is about; null for a whole table.",
    "kind": "Kind of the check.",
    "severity": "error stops a release, warning is reported.",
    "owner": "Who is asked first.",
    "description": "What must hold.",
    "verdict": "passed, warned, or overridden: it failed and a person published despite it.",
    "first_aid": "Section of the runbook that says what to do when it fails.",
    "failing_count": "Rows that break the rule.",
}
_RELEASE = {
    "release_id": "This release.",
    "content_hash": "Hash of the published tables, the product contracts and the verdicts.",
    "previous_release_id": "The release that was served before it; null for the first one.",
    "run_id": "Run that made it.",
    "code_version": "Commit of the code; null outside of a repository.",
    "configuration_hash": "Hash of the configuration's files.",
    "contracts_hash": "Hash of all contracts.",
    "engine_version": "Version of DuckDB that wrote it.",
    "storage_version": "Oldest version of DuckDB that can read the file.",
    "published_by": "Person who published it by hand; null for a run.",
    "published_reason": "Why that person did; null for a run.",
    "published_despite": "Failing checks despite which it was published; null for none.",
    "is_code_dirty": "Whether the code differed from its commit; null outside of a repository.",
    "as_of": "Instant the data is as of, UTC.",
    "created_at": "When it was made, UTC.",
}
_TABLES = {
    "_inputs": "One row per delivery: the row ledger.",
    "_columns": "One row per column of every table in this file.",
    "_checks": "One row per check of the audit that let this release out.",
    "_release": "One row: what this release is.",
}
_DESCRIBED = {"_inputs": _INPUTS, "_columns": _COLUMNS, "_checks": _CHECKS, "_release": _RELEASE}
_CHECK_FIELDS = ("name", "table", "column", *tuple(_CHECKS)[3:])
_KEYS = {
    "_inputs": ("source", "entity", "delivery_id"),
    "_columns": ("table_name", "column_name"),
    "_checks": ("check_name",),
    "_release": ("release_id",),
}


def literal(value: str) -> str:
    """A value as an SQL string."""
    return "'" + value.replace("'", "''") + "'"


def comment(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    description: str,
    columns: Mapping[str, str],
    *,
    is_view: bool = False,
) -> None:
    """Comment a table or view and its columns."""
    kind = "view" if is_view else "table"
    connection.execute(f"comment on {kind} main.{table} is {literal(description)}")
    for column, text in columns.items():
        connection.execute(f"comment on column main.{table}.{column} is {literal(text)}")


def comment_contract(
    connection: duckdb.DuckDBPyConnection, contract: ProductContract, *, is_view: bool
) -> None:
    """Comment a published table and those columns of its contract that it has."""
    present = connection.execute(
        "select column_name from duckdb_columns() "
        "where database_name = current_database() and table_name = ?",
        [contract.table],
    ).fetchall()
    names = {str(name) for (name,) in present}
    described = {c.name: c.description for c in contract.columns if c.name in names}
    comment(connection, contract.table, contract.description, described, is_view=is_view)


def create_inputs(connection: duckdb.DuckDBPyConnection) -> None:
    """Copy the row ledger; the number of the load is the warehouse's own affair."""
    connection.execute(
        f"create table main._inputs as select {', '.join(_INPUTS)} "
        "from source.ingest.deliveries order by source, entity, delivery_id, file_name"
    )
    comment(connection, "_inputs", _TABLES["_inputs"], _INPUTS)


def create_columns(
    connection: duckdb.DuckDBPyConnection, contracts: Sequence[ProductContract]
) -> None:
    """Describe every column of the published tables and of the describing ones."""
    connection.execute(
        "create table main._columns (table_name varchar, column_name varchar, data_type varchar, "
        "description varchar, classification varchar, unit varchar, is_key boolean, "
        "references_column varchar, column_number integer)"
    )
    rows: list[tuple[object, ...]] = []
    for contract in contracts:
        for number, column in enumerate(contract.columns, start=1):
            rows.append(
                (
                    contract.table,
                    column.name,
                    column.data_type,
                    column.description,
                    column.classification,
                    column.unit,
                    column.key_position is not None,
                    ".".join(column.references) if column.references else None,
                    number,
                )
            )
    for table, columns in _DESCRIBED.items():
        for number, (name, text) in enumerate(columns.items(), start=1):
            is_key = name in _KEYS[table]
            kind = _type_of(name)
            rows.append((table, name, kind, text, "internal", None, is_key, None, number))
    connection.executemany("insert into main._columns values (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    comment(connection, "_columns", _TABLES["_columns"], _COLUMNS)


def create_checks(connection: duckdb.DuckDBPyConnection, checks: Sequence[CheckResult]) -> None:
    """Write what the audit found; samples stay out of a release."""
    connection.execute(
        "create table main._checks (check_name varchar, table_name varchar, column_name varchar, "
        "kind varchar, severity varchar, owner varchar, description varchar, verdict varchar, "
        "first_aid varchar, failing_count bigint)"
    )
    if checks:
        connection.executemany(
            "insert into main._checks values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [[getattr(check, name) for name in _CHECK_FIELDS] for check in checks],
        )
    comment(connection, "_checks", _TABLES["_checks"], _CHECKS)


def create_release(connection: duckdb.DuckDBPyConnection, release: Release) -> None:
    """Write the one row that says what this release is."""
    typed = ", ".join(f"{name} {_type_of(name)}" for name in _RELEASE)
    connection.execute(f"create table main._release ({typed})")
    values = [getattr(release, name) for name in _RELEASE]
    marks = ", ".join("?" for _ in values)
    connection.execute(f"insert into main._release values ({marks})", values)
    comment(connection, "_release", _TABLES["_release"], _RELEASE)


def _type_of(name: str) -> str:
    if name.startswith("is_"):
        return "BOOLEAN"
    if name.endswith("_count"):
        return "BIGINT"
    if name == "column_number":
        return "INTEGER"
    return "TIMESTAMP" if name.endswith("_at") or name == "as_of" else "VARCHAR"
