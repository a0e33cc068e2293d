"""The tables that dbt reads of the id ledger, in the warehouse's schema `identity`.

They follow from the ledger alone (the temporary table `ledger` and its views `last_assignments`
and `id_holders`) and are written again after every fold.
"""

from __future__ import annotations

import duckdb


def write_tables(connection: duckdb.DuckDBPyConnection) -> None:
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
        -- several records that leave a customer at once are one change of it
        select distinct instant, instant, change, customer_id, other_customer_id, rule, evidence
        from ledger
        where change not in ('assigned', 'inherited')
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
        with left_behind as (
            select other_customer_id as customer_id, max(instant) as known_at
            from ledger
            where change = 'merged'
            group by other_customer_id
        )
        select id_holders.customer_id, customer_records.customer_id, left_behind.known_at
        from id_holders
        inner join record_hashes on record_hashes.record_hash = id_holders.record_hash
        inner join identity.customer_records
            on customer_records.record_key = record_hashes.record_key
        inner join left_behind on left_behind.customer_id = id_holders.customer_id
        where customer_records.customer_id <> id_holders.customer_id
    """,
}
