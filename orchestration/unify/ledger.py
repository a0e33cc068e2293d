"""The id ledger: which id each cluster of records bears, for ever.

Belongs here: folding clusters into the append-only ledger under `identity/ledger/`, and the
tables that dbt reads of it. Who belongs together is dbt's work (`int_match_edges`,
`int_clusters`); this module never decides it.

One Parquet file an instant, never rewritten, with a row per act:
`instant, change, customer_id, other_customer_id, record_hash, rule, evidence`. `change` is
`created` and `split` (the id's first record is `record_hash`), `merged` (`other_customer_id` went
into `customer_id`) and `assigned` (the record bears `customer_id` from that instant on). Records
stand in it as keyed hashes alone.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from orchestration import warehouse
from orchestration.keys import hmac_blocks, ledger_key
from orchestration.privacy.handles import read_tombstones
from orchestration.settings import Settings
from orchestration.unify import fold

_COLUMNS = "instant, change, customer_id, other_customer_id, record_hash, rule, evidence"


@dataclass(frozen=True)
class LedgerReport:
    """What one update added.

    Args:
        instants: Arrival instants folded.
        created: New customers.
        merged: Customers merged into another one.
        split: Customers split from another one.
        customers: Customers that hold records now.
    """

    instants: int
    created: int
    merged: int
    split: int
    customers: int


def update_ledger(settings: Settings) -> LedgerReport:
    """Fold what arrived since the last instant into the ledger and refresh its tables.

    Reads `unify.int_records`, `unify.int_match_edges`, `unify.int_clusters`; writes the ledger's
    files and the schema `identity` of the warehouse.
    """
    connection = warehouse.connect(settings.warehouse)
    try:
        _set_key(connection, settings)
        folder = settings.identity / "ledger"
        folder.mkdir(parents=True, exist_ok=True)
        _read_ledger(connection, folder)
        _read_tombstones(connection, settings)
        fold.prepare_records(connection)
        instants = fold.waiting_instants(connection)
        for instant in instants:
            fold.fold_instant(connection, instant)
            _append(connection, folder, instant)
        if fold.clusters_differ(connection):
            instant = _as_of(connection)
            fold.fold_differences(connection, instant)
            _append(connection, folder, instant)
        _write_tables(connection)
        return _report(connection, len(instants))
    finally:
        connection.close()


def _set_key(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    inner, outer = hmac_blocks(ledger_key(settings))
    connection.execute("set variable ledger_inner = ?::blob", [inner])
    connection.execute("set variable ledger_outer = ?::blob", [outer])
    connection.execute(
        """
        create or replace temp macro ledger_hash(value) as left(sha256(
            getvariable('ledger_outer')
            || unhex(sha256(getvariable('ledger_inner') || encode(value)))
        ), 32)
        """
    )


def _read_ledger(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    connection.execute(
        """
        create or replace temp table ledger (
            instant timestamp, change text, customer_id text, other_customer_id text,
            record_hash text, rule text, evidence text
        )
        """
    )
    if any(folder.glob("*.parquet")):
        connection.execute(
            f"insert into ledger select {_COLUMNS} from read_parquet(?)",
            [str(folder / "*.parquet")],
        )
    connection.execute("create or replace temp table ledger_before as select * from ledger")


def _read_tombstones(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    connection.execute(
        "create or replace temp table tombstones as select unnest(?::text[]) as hash",
        [sorted(read_tombstones(settings))],
    )


def _append(connection: duckdb.DuckDBPyConnection, folder: Path, instant: datetime) -> None:
    """Write the acts of one instant as a file of their own; nothing where there is none."""
    count = connection.execute("select count(*) from acts").fetchone()
    if count is None or count[0] == 0:
        return
    path = folder / f"{instant:%Y-%m-%dT%H%M%S.%fZ}.parquet"
    temporary = path.with_suffix(".tmp")
    connection.execute(
        f"""
        copy (
            select {_COLUMNS} from acts
            order by change, customer_id, other_customer_id nulls first, record_hash nulls first
        ) to '{temporary}' (format parquet, compression zstd)
        """
    )
    descriptor = os.open(temporary, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    os.replace(temporary, path)
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    connection.execute(f"insert into ledger select {_COLUMNS} from acts")


def _as_of(connection: duckdb.DuckDBPyConnection) -> datetime:
    """The run's as-of, or just after the last act: an instant bears one file."""
    row = connection.execute(
        """
        select greatest(
            (select max(as_of) from pipeline.clock),
            (select max(instant) + interval 1 microsecond from ledger)
        )
        """
    ).fetchone()
    assert row is not None
    found: datetime = row[0]
    return found


def _write_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Refresh `identity.*`; a mapping that did not change keeps the load at which it last did."""
    connection.execute("create schema if not exists identity")
    connection.execute("create schema if not exists pipeline")
    connection.execute(
        "create table if not exists pipeline.build_marks (load_number integer, as_of timestamp)"
    )
    for name, columns in _TABLES.items():
        connection.execute(f"create table if not exists identity.{name} ({columns})")
    connection.execute("begin")
    connection.execute(_CHANGED_RECORDS)
    connection.execute(
        """
        insert into identity.customer_changes
        (
            select load_number, customer_id from changed_records
            -- a record of somebody who turned out to be staff has no customer any more
            where customer_id is not null
            union
            select load_number, previous_customer_id from changed_records
            where previous_customer_id is not null
        )
        except
        select load_number, customer_id from identity.customer_changes
        """
    )
    connection.execute(
        """
        delete from identity.customer_records
        where record_key in (select record_key from changed_records)
            or record_key not in (select record_key from record_hashes)
        """
    )
    connection.execute(
        """
        insert into identity.customer_records
        select record_key, customer_id, changed_at, load_number, previous_customer_id
        from changed_records
        where customer_id is not null
        """
    )
    for name, query in _REBUILT.items():
        connection.execute(f"delete from identity.{name}")
        connection.execute(f"insert into identity.{name} {query}")
    connection.execute("commit")


def _report(connection: duckdb.DuckDBPyConnection, instants: int) -> LedgerReport:
    counts = dict(
        connection.execute(
            """
            select change, count(*) from
                (select * from ledger except all select * from ledger_before)
            where change in ('created', 'merged', 'split') group by change
            """
        ).fetchall()
    )
    row = connection.execute("select count(*) from identity.customers").fetchone()
    assert row is not None
    return LedgerReport(
        instants=instants,
        created=counts.get("created", 0),
        merged=counts.get("merged", 0),
        split=counts.get("split", 0),
        customers=row[0],
    )


_TABLES = {
    "customer_records": "record_key text, customer_id text, changed_at timestamp, "
    "load_number integer, previous_customer_id text",
    "customer_changes": "load_number integer, customer_id text",
    "customers": "customer_id text, created_at timestamp",
    "history": "known_at timestamp, occurred_at timestamp, change text, customer_id text, "
    "other_customer_id text, rule text, evidence text",
    "aliases": "old_customer_id text, customer_id text, known_at timestamp",
}

_CHANGED_RECORDS = """
create or replace temp table changed_records as
with last_assignments as (
    select record_hash, max_by(customer_id, instant) as customer_id, max(instant) as changed_at
    from ledger
    where change = 'assigned'
    group by record_hash
)
select
    coalesce(record_hashes.record_key, known.record_key) as record_key,
    last_assignments.customer_id,
    last_assignments.changed_at,
    -- without a new load (a decision, a change of rules) they are newer than what was built
    greatest(
        (select coalesce(max(load_number), 1) from ingest.loads),
        (select coalesce(max(load_number), 0) + 1 from pipeline.build_marks)
    ) as load_number,
    known.customer_id as previous_customer_id
from record_hashes
inner join last_assignments on last_assignments.record_hash = record_hashes.record_hash
full outer join identity.customer_records as known on known.record_key = record_hashes.record_key
where known.customer_id is distinct from last_assignments.customer_id
"""

_REBUILT = {
    "customers": """
        select held.customer_id, min(ledger.instant)
        from (select distinct customer_id from identity.customer_records) as held
        inner join ledger on ledger.customer_id = held.customer_id
            and ledger.change in ('created', 'split')
        group by held.customer_id
    """,
    "history": """
        select instant, instant, change, customer_id, other_customer_id, rule, evidence
        from ledger
        where change <> 'assigned'
            -- An erased person leaves no history: their id bears no record any more.
            and not (
                ledger_hash('customer_id:' || customer_id) in (from tombstones)
                and customer_id not in (select customer_id from identity.customer_records)
            )
            and not coalesce(
                ledger_hash('customer_id:' || other_customer_id) in (from tombstones)
                and other_customer_id not in (select customer_id from identity.customer_records),
                false
            )
    """,
    "aliases": """
        with first_records as (
            select customer_id, min_by(record_hash, instant) as record_hash
            from ledger
            where change in ('created', 'split')
            group by customer_id
        ),
        left_behind as (
            select other_customer_id as customer_id, max(instant) as known_at
            from ledger
            where change = 'merged'
            group by other_customer_id
        )
        select first_records.customer_id, customer_records.customer_id, left_behind.known_at
        from first_records
        inner join record_hashes on record_hashes.record_hash = first_records.record_hash
        inner join identity.customer_records
            on customer_records.record_key = record_hashes.record_key
        inner join left_behind on left_behind.customer_id = first_records.customer_id
        where customer_records.customer_id <> first_records.customer_id
    """,
}
