"""Batch: all new deliveries of one table, from files to raw rows, quarantine and row ledger.

Wide rows are written to the batch once and to the raw table once; duplicates are found on hashes,
and only keys that occur more than once are ordered.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import md5
from pathlib import Path

import duckdb

from orchestration.errors import JourneylineError
from orchestration.ingest import reading
from orchestration.ingest.contracts import Contract
from orchestration.ingest.drift import record_drift
from orchestration.ingest.guards import Refused, guard_delivery
from orchestration.ingest.landing import Delivery
from orchestration.ingest.records import rewrite_csv, rewrite_ndjson
from orchestration.ingest.tables import quoted

HELD_FROM_ROWS = 20


@dataclass
class EntityLoad:
    """What a load did for one table; counts are rows."""

    source: str
    accepted: int = 0
    quarantined: int = 0
    duplicates: int = 0
    refused: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ReadyFile:
    """A delivery whose bytes passed the guards, as the reader takes it.

    Args:
        delivery: The delivery.
        path: The file to read; one record a line.
        record_count: Records in it.
        header: Columns of a CSV; empty for NDJSON.
    """

    delivery: Delivery
    path: Path
    record_count: int
    header: tuple[str, ...]


def load_entity(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    deliveries: list[Delivery],
    load_number: int,
    work: Path,
) -> EntityLoad:
    """Load deliveries of one table, within the caller's transaction.

    Args:
        connection: The warehouse, with a transaction begun.
        contract: The table's contract.
        deliveries: New deliveries in the order of arrival and id.
        load_number: Number of this load.
        work: An empty folder for rewritten files.

    Raises:
        JourneylineError: The row ledger of a delivery does not balance.
    """
    result = EntityLoad(contract.source)
    numbered = list(enumerate(deliveries))
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        outcomes = list(pool.map(lambda item: _prepare(item[1], contract, work, item[0]), numbered))
    rows: list[list[object]] = []
    ready = [outcome for outcome in outcomes if isinstance(outcome, ReadyFile)]
    for delivery, outcome in zip(deliveries, outcomes, strict=True):
        if isinstance(outcome, str):
            result.refused.append(f"{delivery.label}: {outcome}")
            rows.append(_ledger_row(delivery, "refused", outcome, (0, 0, 0, 0), load_number))
    if ready:
        rows += _load_ready(connection, contract, ready, load_number, result)
    _record(connection, rows)
    for file in ready:
        if file.path.parent == work:
            file.path.unlink()
    return result


def _prepare(delivery: Delivery, contract: Contract, work: Path, number: int) -> ReadyFile | str:
    target = work / f"{contract.source}-{contract.entity}-{number}"
    try:
        guarded = guard_delivery(delivery, contract)
        if contract.format == "csv":
            written = rewrite_csv(delivery, contract, target)
            file = ReadyFile(delivery, target, written.record_count, written.header)
        elif guarded.is_plain:
            file = ReadyFile(delivery, delivery.file, guarded.line_count, ())
        else:
            written = rewrite_ndjson(delivery, target)
            file = ReadyFile(delivery, target, written.record_count, ())
        if delivery.row_count is not None and delivery.row_count != file.record_count:
            raise Refused(
                f"the manifest counts {delivery.row_count} rows, the file has {file.record_count}"
            )
        return file
    except Refused as refusal:
        return str(refusal)


def _load_ready(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    ready: list[ReadyFile],
    load_number: int,
    result: EntityLoad,
) -> list[list[object]]:
    filled = [file for file in ready if file.record_count]
    _read_batch(connection, contract, filled)
    _describe_files(connection, ready, contract)
    _find_duplicates(connection, contract)
    _append_rows(connection, contract, load_number)
    _append_quarantine(connection, contract)
    record_drift(connection, contract, [(file.delivery, file.header) for file in ready])
    counts = _count(connection, contract, load_number)
    for table in ("batch", "batch_files", "batch_duplicates"):
        connection.execute(f"drop table temp.{table}")
    rows = []
    for file in ready:
        held, accepted, quarantined, duplicates = counts[file.delivery.delivery_id]
        if accepted + quarantined + duplicates != file.record_count:
            raise JourneylineError(
                f"The row ledger does not balance: {file.record_count} rows landed, {accepted} "
                f"were accepted, {quarantined} quarantined, {duplicates} duplicates.",
                where=file.delivery.label,
                next_step="This is a defect; nothing of this load was kept.",
            )
        reason = "more rows broke the contract than its bound allows" if held else None
        status = "held" if held else "loaded"
        landed = (file.record_count, accepted, quarantined, duplicates)
        rows.append(_ledger_row(file.delivery, status, reason, landed, load_number))
        result.accepted += accepted
        result.quarantined += quarantined
        result.duplicates += duplicates
        if held:
            result.held.append(file.delivery.label)
    return rows


def _read_batch(
    connection: duckdb.DuckDBPyConnection, contract: Contract, files: list[ReadyFile]
) -> None:
    paths = [file.path for file in files]
    too_deep: list[str] = []
    if contract.format == "ndjson" and paths:
        suspects = connection.execute(reading.suspects_sql(paths)).fetchall()
        too_deep = [
            md5(line.encode()).hexdigest()
            for (line,) in suspects
            if reading.json_depth(line) > reading.MAX_JSON_DEPTH
        ]
    query = reading.batch_sql(contract, paths or [Path(os.devnull)], too_deep)
    connection.execute(f"create or replace temp table batch as {query}")


def _describe_files(
    connection: duckdb.DuckDBPyConnection, ready: list[ReadyFile], contract: Contract
) -> None:
    """`batch_files`: a row per delivery with its first row and whether it is held."""
    connection.execute(
        "create or replace temp table batch_files"
        " (position integer, file_path text, delivery_id text, received_at timestamp)"
    )
    connection.executemany(
        "insert into batch_files values (?, ?, ?, ?)",
        [
            [place, str(f.path), f.delivery.delivery_id, f.delivery.received_at]
            for place, f in enumerate(ready)
        ],
    )
    connection.execute(
        """
        create or replace temp table batch_files as
        with counted as (
            select file_path, min(rowid) as first_row, count(*) as row_count,
                count(failure) as failure_count
            from batch group by file_path
        )
        select batch_files.*, counted.first_row, coalesce(counted.row_count, 0) as row_count,
            coalesce(counted.row_count > ? and counted.failure_count > ? * counted.row_count, false)
                as is_held
        from batch_files left join counted on batch_files.file_path = counted.file_path
        """,
        [HELD_FROM_ROWS, contract.rate_bound],
    )


def _find_duplicates(connection: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    """`batch_duplicates`: rows of the batch that are there already, earlier in it or in raw."""
    keys = contract.key_columns or tuple(column.name for column in contract.columns)
    places = {column.name: number for number, column in enumerate(contract.columns, start=1)}
    key_list = ", ".join(f"c{places[name]}" for name in keys)
    # Versions of a record differ by content, so their hash belongs to the key.
    is_by_content = contract.version_column is not None or not contract.key_columns
    same_key = [
        f"batch.c{places[name]} is not distinct from earlier.{quoted(name)}" for name in keys
    ]
    if is_by_content:
        same_key.append("batch.row_hash = earlier._row_hash")
        key_list += ", batch.row_hash"
    connection.execute(
        f"""
        create or replace temp table batch_duplicates as
        with eligible as (
            select batch.rowid as row_id, key_hash, position from batch
            inner join batch_files on batch.file_path = batch_files.file_path
            where failure is null and not is_held
        ),
        doubled as (select key_hash from eligible group by key_hash having count(*) > 1),
        ordered as (
            select batch.rowid as row_id,
                row_number() over (
                    partition by {key_list} order by position, batch.rowid
                ) as place
            from batch
            inner join eligible on batch.rowid = eligible.row_id
            where eligible.key_hash in (select key_hash from doubled)
        ),
        known as (
            select batch.rowid as row_id from batch
            where failure is null and exists (
                select 1 from {contract.table} as earlier where {" and ".join(same_key)}
            )
        )
        select row_id from ordered where place > 1
        union
        select known.row_id from known inner join eligible on known.row_id = eligible.row_id
        """
    )


def _append_rows(
    connection: duckdb.DuckDBPyConnection, contract: Contract, load_number: int
) -> None:
    values = ", ".join(f"batch.c{number}" for number in range(1, len(contract.columns) + 1))
    connection.execute(
        f"""
        insert into {contract.table}
        select {values}, batch_files.delivery_id, batch_files.received_at,
            batch.rowid - batch_files.first_row + 1, {load_number}, batch.row_hash
        from batch inner join batch_files on batch.file_path = batch_files.file_path
        where batch.failure is null and not batch_files.is_held
            and batch.rowid not in (select row_id from batch_duplicates)
        """
    )


def _append_quarantine(connection: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    rules = ", ".join(
        f"({rule.number}, '{rule.name}', {_text_or_null(rule.column_name)})"
        for rule in reading.rules_of(contract)
    )
    held = connection.execute("select file_path from batch_files where is_held").fetchall()
    connection.execute(f"create or replace temp table held_rows as {_held_sql(contract, held)}")
    connection.execute(
        f"""
        insert into ingest.quarantine_rows
        with rules(number, rule, column_name) as (values {rules}),
        broken as (
            select file_path, rowid as row_id, rule, column_name, value, payload
            from batch inner join rules on batch.failure = rules.number
            union all
            select batch.file_path, batch.rowid, 'rate_bound', null, null, held_rows.payload
            from batch
            inner join batch_files on batch.file_path = batch_files.file_path
            inner join held_rows on batch.file_path = held_rows.file_path
                and batch.rowid - batch_files.first_row + 1 = held_rows.row_number
            where batch.failure is null
        ),
        placed as (
            select broken.*, delivery_id, received_at, row_id - first_row + 1 as row_number
            from broken inner join batch_files on broken.file_path = batch_files.file_path
        )
        select md5(concat_ws('/', ?, ?, delivery_id, row_number)), ?, ?, delivery_id, row_number,
            rule, column_name, value, payload, received_at, received_at, received_at
        from placed
        order by received_at, delivery_id, row_number
        """,
        [contract.source, contract.entity] * 2,
    )
    connection.execute("drop table temp.held_rows")


def _held_sql(contract: Contract, held: Iterable[tuple[str]]) -> str:
    """The delivered records of held files, which the batch keeps for broken rows only."""
    parts = [
        f"""
        select file_path, row_number() over () as row_number,
            {reading.payload_sql(contract)} as payload
        from ({reading.lines_sql([Path(path)])})
        """
        for (path,) in held
    ]
    nothing = "select ''::text as file_path, 0::bigint as row_number, ''::text as payload limit 0"
    return " union all ".join(parts) if parts else nothing


def _count(
    connection: duckdb.DuckDBPyConnection, contract: Contract, load_number: int
) -> dict[str, tuple[bool, int, int, int]]:
    """Per delivery: held, and rows accepted, quarantined, duplicate, counted where they went."""
    rows = connection.execute(
        f"""
        with accepted as (
            select _delivery_id as delivery_id, count(*) as row_count
            from {contract.table} where _load_number = ? group by 1
        ),
        quarantined as (
            select delivery_id, count(*) as row_count from ingest.quarantine_rows
            where source = ? and entity = ? group by 1
        ),
        duplicates as (
            select file_path, count(*) as row_count from batch_duplicates
            inner join batch on batch.rowid = batch_duplicates.row_id group by 1
        )
        select batch_files.delivery_id, is_held, coalesce(accepted.row_count, 0),
            coalesce(quarantined.row_count, 0), coalesce(duplicates.row_count, 0)
        from batch_files
        left join accepted on batch_files.delivery_id = accepted.delivery_id
        left join quarantined on batch_files.delivery_id = quarantined.delivery_id
        left join duplicates on batch_files.file_path = duplicates.file_path
        """,
        [load_number, contract.source, contract.entity],
    ).fetchall()
    return {delivery_id: (held, a, q, d) for delivery_id, held, a, q, d in rows}


def _ledger_row(
    delivery: Delivery,
    status: str,
    reason: str | None,
    counts: tuple[int, int, int, int],
    load_number: int,
) -> list[object]:
    """A row of the row ledger; counts are landed, accepted, quarantined and duplicate rows."""
    place = [delivery.source, delivery.entity, delivery.delivery_id, delivery.received_at]
    file = [delivery.file_name, delivery.sha256, delivery.byte_count]
    return [*place, status, reason, *file, *counts, 0, load_number]


def _record(connection: duckdb.DuckDBPyConnection, rows: list[list[object]]) -> None:
    places = ", ".join(f"({', '.join('?' for _ in row)})" for row in rows)
    values = [value for row in rows for value in row]
    connection.execute(f"insert into ingest.deliveries values {places}", values)


def _text_or_null(value: str | None) -> str:
    return "null" if value is None else f"'{value}'"
