"""Appending: the SQL that takes a typed batch to raw rows and quarantine.

Reads the view `batch` (see `reading`), the temporary table `batch_drifted` (see `drift`) and its
own `batch_files`, `batch_acts`, `batch_duplicates`. A file of the batch is new, or was loaded
before and is read again because some of its rows are replayed: of such a file only those rows
count.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import duckdb

from orchestration.ingest import reading
from orchestration.ingest.acts import REPLAY, Act, TableActs
from orchestration.ingest.columnar import parquet_lines_sql
from orchestration.ingest.contracts import Contract
from orchestration.ingest.landing import Delivery
from orchestration.ingest.reading import InputFile
from orchestration.ingest.tables import quoted

HELD_FROM_ROWS = 20
WAITING = "waiting"
DISCARDED = "discarded"
# Rows of `batch` with their file and, where there is one, the act on them.
_PLACED = """
    batch
    inner join batch_files on batch.file_number = batch_files.file_number
    left join batch_acts on batch.row_id = batch_acts.row_id
    left join batch_drifted on batch.row_id = batch_drifted.row_id
"""
_IS_TAKEN = """
    failure is null and (case act when 'replay' then true when 'discard' then false
        else not is_held and not is_again and drift_rule is null end)
"""


def describe_files(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    files: list[tuple[Path, Delivery, bool]],
) -> None:
    """`batch_files`: a row per delivery with its first row and whether it is held.

    Args:
        connection: The warehouse.
        contract: The table's contract.
        files: The file of each delivery, and whether it was loaded before; a file's number in the
            batch is its place here.
    """
    connection.execute(
        "create or replace temp table batch_files (file_number integer, file_path text,"
        " delivery_id text, received_at timestamp, is_again boolean)"
    )
    connection.executemany(
        "insert into batch_files values (?, ?, ?, ?, ?)",
        [
            [number, str(path), delivery.delivery_id, delivery.received_at, is_again]
            for number, (path, delivery, is_again) in enumerate(files)
        ],
    )
    connection.execute(
        """
        create or replace temp table batch_files as
        with counted as (
            select file_number, min(row_id) as first_row, count(*) as row_count,
                count(failure) as failure_count
            from batch group by file_number
        )
        select batch_files.*, counted.first_row, coalesce(counted.row_count, 0) as row_count,
            coalesce(counted.row_count > ? and counted.failure_count > ? * counted.row_count, false)
                as is_held,
            if(is_held, 'rate_bound', null) as held_rule
        from batch_files left join counted on batch_files.file_number = counted.file_number
        """,
        [HELD_FROM_ROWS, contract.rate_bound],
    )


def describe_acts(connection: duckdb.DuckDBPyConnection, acts: TableActs) -> None:
    """`batch_acts`: a row per row of the batch that was acted on, with the last act on it."""
    connection.execute(
        "create or replace temp table batch_acts_given (act_number integer, act text, acted_at"
        " timestamp, delivery_id text, first_row bigint, last_row bigint, is_fresh boolean)"
    )
    fresh = {act.number for act in acts.fresh}
    given = [
        [act.number, act.act, act.at, delivery_id, first, last, act.number in fresh]
        for act in acts.heeded
        for delivery_id, runs in act.rows.items()
        for first, last in runs
    ]
    if given:
        connection.executemany("insert into batch_acts_given values (?, ?, ?, ?, ?, ?, ?)", given)
    connection.execute(
        """
        create or replace temp table batch_acts as
        with placed as (
            select unnest(range(given.first_row, given.last_row + 1)) as row_number,
                batch_files.first_row, batch_files.row_count, act_number, act, acted_at
            from batch_acts_given as given
            inner join batch_files on given.delivery_id = batch_files.delivery_id
            where given.is_fresh or not batch_files.is_again
        )
        select first_row + row_number - 1 as row_id, max_by(act, act_number) as act,
            max_by(acted_at, act_number) as acted_at
        from placed where row_number between 1 and row_count
        group by all
        """
    )
    connection.execute("drop table temp.batch_acts_given")


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
            select batch.row_id, key_hash, batch.file_number,
                coalesce(batch_acts.acted_at, received_at) as arrived_at
            from {_PLACED}
            where {_IS_TAKEN}
        ),
        doubled as (select key_hash from eligible group by key_hash having count(*) > 1),
        ordered as (
            select batch.row_id,
                row_number() over (
                    partition by {key_list} order by arrived_at, eligible.file_number, batch.row_id
                ) as place
            from batch
            inner join eligible on batch.row_id = eligible.row_id
            where eligible.key_hash in (select key_hash from doubled)
        ),
        known as (
            select batch.row_id from batch
            semi join {contract.table} as earlier on {" and ".join(same_key)}
            where failure is null
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
        select {values}, batch_files.delivery_id,
            coalesce(batch_acts.acted_at, batch_files.received_at),
            batch.row_id - batch_files.first_row + 1, {load_number}, batch.row_hash
        from {_PLACED}
        where {_IS_TAKEN} and batch.row_id not in (select row_id from batch_duplicates)
        """
    )


def append_quarantine(connection: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    """Put broken rows, and every row that is held or discarded, into quarantine as delivered."""
    rules = ", ".join(
        f"({rule.number}, '{rule.name}', {_text_or_null(rule.column_name)})"
        for rule in reading.rules_of(contract)
    )
    place = [contract.source, contract.entity]
    connection.execute(
        f"""
        delete from ingest.quarantine_rows
        where source = ? and entity = ? and (delivery_id, row_number) in (
            select (delivery_id, batch.row_id - first_row + 1) from {_PLACED}
            where is_again and act = '{REPLAY}'
        )
        """,
        place,
    )
    connection.execute(
        "create or replace temp table held_wanted as"
        " select batch.file_number, file_path, batch.row_id - first_row + 1 as row_number"
        f" from {_PLACED}"
        " where (not is_again and (is_held or act = 'discard' or drift_rule is not null))"
        " or (failure is not null and payload is null)"
    )
    kept = connection.execute("select distinct file_number, file_path from held_wanted").fetchall()
    connection.execute(f"create or replace temp table held_rows as {_held_sql(contract, kept)}")
    connection.execute(
        f"""
        insert into ingest.quarantine_rows
        with rules(number, rule, column_name) as (values {rules}),
        broken as (
            select batch.row_id, rule, column_name, value,
                coalesce(batch.payload, held_rows.payload) as payload
            from {_PLACED} inner join rules on batch.failure = rules.number
            left join held_rows on batch.file_number = held_rows.file_number
                and batch.row_id - batch_files.first_row + 1 = held_rows.row_number
            where not is_again or act = '{REPLAY}'
            union all
            select batch.row_id, case when act is not null then '{DISCARDED}'
                when is_held then held_rule else drift_rule end,
                if(act is null and not is_held, drift_column, null), null, held_rows.payload
            from {_PLACED}
            inner join held_rows on batch.file_number = held_rows.file_number
                and batch.row_id - batch_files.first_row + 1 = held_rows.row_number
            where batch.failure is null and not is_again
                and (act = 'discard'
                    or (act is null and (is_held or drift_rule is not null)))
        ),
        placed as (
            select broken.*, delivery_id, received_at, act, acted_at,
                broken.row_id - first_row + 1 as row_number
            from broken
            inner join batch on broken.row_id = batch.row_id
            inner join batch_files on batch.file_number = batch_files.file_number
            left join batch_acts on broken.row_id = batch_acts.row_id
        )
        select md5(concat_ws('/', ?, ?, delivery_id, row_number)), ?, ?, delivery_id, row_number,
            rule, column_name, value, payload, received_at, received_at,
            if(act = '{REPLAY}', acted_at, received_at),
            if(act = 'discard', '{DISCARDED}', '{WAITING}')
        from placed
        order by received_at, delivery_id, row_number
        """,
        place * 2,
    )
    connection.execute("drop table temp.held_rows")
    connection.execute("drop table temp.held_wanted")
    _span_sightings(connection, place)


def _span_sightings(connection: duckdb.DuckDBPyConnection, place: list[str]) -> None:
    """The same broken record in several deliveries was first and last seen over all of them."""
    connection.execute(
        """
        update ingest.quarantine_rows as kept
        set first_seen_at = seen.first_seen_at, last_seen_at = seen.last_seen_at
        from (
            select rule, column_name, payload, min(first_seen_at) as first_seen_at,
                max(last_seen_at) as last_seen_at
            from ingest.quarantine_rows
            where source = ? and entity = ? and rule not in ('rate_bound', 'drift')
            group by rule, column_name, payload having count(*) > 1
        ) as seen
        where kept.source = ? and kept.entity = ? and kept.rule = seen.rule
            and kept.column_name is not distinct from seen.column_name
            and kept.payload = seen.payload
            and (kept.first_seen_at, kept.last_seen_at)
                is distinct from (seen.first_seen_at, seen.last_seen_at)
        """,
        place * 2,
    )


def discard_rows(connection: duckdb.DuckDBPyConnection, act: Act) -> None:
    """Mark rows that wait in quarantine as discarded."""
    for delivery_id, runs in act.rows.items():
        connection.executemany(
            f"update ingest.quarantine_rows set state = '{DISCARDED}' where source = ?"
            " and entity = ? and delivery_id = ? and row_number between ? and ?",
            [[act.source, act.entity, delivery_id, first, last] for first, last in runs],
        )


def _held_sql(contract: Contract, held: Iterable[tuple[int, str]]) -> str:
    """The delivered records of held files, which the batch keeps for broken rows only."""
    parts = [
        f"""
        select file_number, row_number() over () as row_number,
            {reading.payload_sql(contract)} as payload
        from ({reading.lines_sql([InputFile(Path(path), number)])})
        """
        if contract.format != "parquet"
        else f"""
        select file_number, row_number, line as payload from ({
            parquet_lines_sql(
                Path(path),
                number,
                f"select row_number from held_wanted where file_number = {number}",
            )
        })
        """
        for number, path in held
    ]
    nothing = "select 0 as file_number, 0::bigint as row_number, ''::text as payload limit 0"
    return " union all ".join(parts) if parts else nothing


def count_rows(
    connection: duckdb.DuckDBPyConnection, contract: Contract, load_number: int
) -> dict[str, tuple[bool, int, int, int]]:
    """Per delivery: held, and rows accepted, quarantined, duplicate, counted where they went.

    Of a delivery that was loaded before, the rows that it had already count as well. It is held as
    long as rows wait for what held it.
    """
    rows = connection.execute(
        f"""
        with accepted as (
            select _delivery_id as delivery_id, count(*) as row_count
            from {contract.table}
            where _load_number = ? or _delivery_id in (
                select delivery_id from batch_files where is_again
            )
            group by 1
        ),
        quarantined as (
            select delivery_id, count(*) as row_count,
                count_if(rule in ('rate_bound', 'drift')) as held_count
            from ingest.quarantine_rows
            where source = ? and entity = ? group by 1
        ),
        duplicates as (
            select file_number, count(*) as row_count from batch_duplicates
            inner join batch on batch.row_id = batch_duplicates.row_id group by 1
        ),
        before as (
            select delivery_id, status, duplicate_count from ingest.deliveries
            where source = ? and entity = ?
        ),
        replayed as (select distinct batch.file_number from {_PLACED} where act = 'replay')
        select batch_files.delivery_id,
            if(is_again, before.status = 'held', is_held)
                and (replayed.file_number is null or coalesce(held_count, 0) > 0),
            coalesce(accepted.row_count, 0), coalesce(quarantined.row_count, 0),
            coalesce(duplicates.row_count, 0) + coalesce(before.duplicate_count, 0)
        from batch_files
        left join accepted on batch_files.delivery_id = accepted.delivery_id
        left join quarantined on batch_files.delivery_id = quarantined.delivery_id
        left join duplicates on batch_files.file_number = duplicates.file_number
        left join before on batch_files.delivery_id = before.delivery_id
        left join replayed on batch_files.file_number = replayed.file_number
        """,
        [load_number, *[contract.source, contract.entity] * 2],
    ).fetchall()
    return {delivery_id: (held, a, q, d) for delivery_id, held, a, q, d in rows}


def _text_or_null(value: str | None) -> str:
    return "null" if value is None else f"'{value}'"
