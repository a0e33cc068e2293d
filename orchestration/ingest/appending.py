"""Appending: the SQL that takes a typed batch to raw rows and quarantine.

Reads the temporary tables `batch` (see `reading`) and its own `batch_files`, `batch_duplicates`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import duckdb

from orchestration.ingest import reading
from orchestration.ingest.contracts import Contract
from orchestration.ingest.landing import Delivery
from orchestration.ingest.tables import quoted

HELD_FROM_ROWS = 20


def describe_files(
    connection: duckdb.DuckDBPyConnection, contract: Contract, files: list[tuple[Path, Delivery]]
) -> None:
    """`batch_files`: a row per delivery with its first row and whether it is held."""
    connection.execute(
        "create or replace temp table batch_files"
        " (position integer, file_path text, delivery_id text, received_at timestamp)"
    )
    connection.executemany(
        "insert into batch_files values (?, ?, ?, ?)",
        [
            [place, str(path), delivery.delivery_id, delivery.received_at]
            for place, (path, delivery) in enumerate(files)
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
                as is_held,
            if(is_held, 'rate_bound', null) as held_rule
        from batch_files left join counted on batch_files.file_path = counted.file_path
        """,
        [HELD_FROM_ROWS, contract.rate_bound],
    )


def hold_deliveries(
    connection: duckdb.DuckDBPyConnection, delivery_ids: Iterable[str], rule: str
) -> None:
    """Hold deliveries of the batch by a rule; none of their rows will be appended."""
    for delivery_id in delivery_ids:
        connection.execute(
            "update batch_files set is_held = true, held_rule = ? where delivery_id = ?",
            [rule, delivery_id],
        )


def find_duplicates(connection: duckdb.DuckDBPyConnection, contract: Contract) -> None:
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


def append_rows(
    connection: duckdb.DuckDBPyConnection, contract: Contract, load_number: int
) -> None:
    """Append the rows that keep the contract and are new, with their lineage."""
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


def append_quarantine(connection: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    """Put broken rows, and every row of a held delivery, into quarantine as delivered."""
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
            select batch.file_path, batch.rowid, held_rule, null, null, held_rows.payload
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


def count_rows(
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


def _text_or_null(value: str | None) -> str:
    return "null" if value is None else f"'{value}'"
