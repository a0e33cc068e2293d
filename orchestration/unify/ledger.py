"""The id ledger: which id each cluster of records bears, for ever.

Belongs here: folding clusters into the append-only ledger under `identity/ledger/`, and the
tables that dbt reads of it. Who belongs together is dbt's work (`int_match_edges`,
`int_clusters`); this module never decides it.

One Parquet file an instant, never rewritten, with a row per act:
`instant, change, customer_id, other_customer_id, record_hash, rule, evidence`. `change` is
`created` and `split` (the id's first record is `record_hash`), `merged` (`other_customer_id` went
into `customer_id`), `assigned` (the record bears `customer_id` from that instant on), `corrected`
(the record left `customer_id`: it is staff's) and `inherited` (`record_hash` is from then on the
id's first record). Records stand in it as keyed hashes alone.
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
from orchestration.unify.ledger_tables import write_tables

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

    Reads `unify.int_records_delivered`, `unify.int_match_edges`, `unify.int_clusters`; writes the
    ledger's files and the schema `identity` of the warehouse.
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
        write_tables(connection)
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
    connection.execute(_LAST_ASSIGNMENTS)
    connection.execute(_ID_HOLDERS)


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


# The customer that each record bears now; null for one that left.
_LAST_ASSIGNMENTS = """
create or replace temp view last_assignments as
select
    record_hash,
    arg_max_null(case when change = 'assigned' then customer_id end, instant) as customer_id,
    max(instant) as changed_at
from ledger
where change in ('assigned', 'corrected')
group by record_hash
"""

# The record by which each id goes: its first one, or the one that inherited it.
_ID_HOLDERS = """
create or replace temp view id_holders as
select
    customer_id,
    max_by(record_hash, instant) as record_hash,
    min(instant) as created_at
from ledger
where change in ('created', 'split', 'inherited')
group by customer_id
"""
