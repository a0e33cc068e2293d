"""One step of the ledger's fold: the clusters at one instant, as far as something touched them.

Works on the temporary tables of one connection: `ledger` (the acts so far), `record_hashes`
(record_key, record_hash, first_received_at, staff_known_at) and `assignments`; what follows from
the clusters is the work of `ledger_acts`.
"""

from __future__ import annotations

from datetime import datetime

import duckdb

from orchestration.unify import ledger_acts
from orchestration.unify.components import label_components


def prepare_records(connection: duckdb.DuckDBPyConnection) -> None:
    """Hash each record's key once and read the assignments that hold now."""
    connection.execute(
        """
        create or replace temp table record_hashes as
        select
            record_key,
            ledger_hash('record/' || record_key) as record_hash,
            first_received_at,
            staff_known_at
        from unify.int_records_delivered
        """
    )
    connection.execute(
        """
        create or replace temp table assignments as
        select record_hashes.record_key, last_assignments.customer_id
        from last_assignments
        inner join record_hashes on record_hashes.record_hash = last_assignments.record_hash
        where last_assignments.customer_id is not null
        """
    )


def waiting_instants(connection: duckdb.DuckDBPyConnection) -> list[datetime]:
    """The arrival instants after the ledger's last one, at which records or edges changed."""
    rows = connection.execute(
        """
        with instants as (
            select first_received_at as instant from record_hashes
            union
            select staff_known_at from record_hashes where staff_known_at > first_received_at
            union
            select known_at from unify.int_match_edges
            union
            select dead_at from unify.int_match_edges where dead_at is not null
        )
        select instant from instants
        where instant > coalesce((select max(instant) from ledger), timestamp '0001-01-01')
        order by instant nulls last
        """
    ).fetchall()
    return [row[0] for row in rows]


def fold_instant(connection: duckdb.DuckDBPyConnection, instant: datetime) -> None:
    """Write into `acts` what the clusters as known at one arrival instant change."""
    _begin_instant(connection, instant)
    connection.execute(
        """
        create or replace temp table touched_records as
        with stirred as (
            select record_key from record_hashes where first_received_at = getvariable('instant')
            union
            select left_record_key from unify.int_match_edges
            where known_at = getvariable('instant') or dead_at = getvariable('instant')
            union
            select right_record_key from unify.int_match_edges
            where known_at = getvariable('instant') or dead_at = getvariable('instant')
            union
            select record_key from leaving
        ),
        stirred_customers as (
            select distinct assignments.customer_id
            from stirred
            inner join assignments on assignments.record_key = stirred.record_key
        )
        (
            select record_key as node from stirred
            union
            select assignments.record_key
            from assignments
            inner join stirred_customers on stirred_customers.customer_id = assignments.customer_id
        )
        except
        select record_key from record_hashes where staff_known_at <= getvariable('instant')
        """
    )
    connection.execute(
        """
        create or replace temp table touched_edges as
        select edges.left_record_key as left_node, edges.right_record_key as right_node
        from unify.int_match_edges as edges
        inner join touched_records on touched_records.node = edges.left_record_key
        inner join touched_records as other on other.node = edges.right_record_key
        where edges.known_at <= getvariable('instant')
            and (edges.dead_at is null or edges.dead_at > getvariable('instant'))
        """
    )
    label_components(connection, "touched_records", "touched_edges")
    ledger_acts.write_acts(connection)


def clusters_differ(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether dbt's clusters are grouped otherwise than the ledger has them.

    So it is after a change of rules, and where rows arrived before the last instant.
    """
    row = connection.execute(
        f"""
        select
            (select count(*) from ({_DIFFERING_RECORDS}))
            + (
                select count(*) from assignments
                inner join record_hashes on record_hashes.record_key = assignments.record_key
                where record_hashes.staff_known_at is not null
            )
        """
    ).fetchone()
    return row is not None and row[0] > 0


def fold_differences(connection: duckdb.DuckDBPyConnection, instant: datetime) -> None:
    """Write into `acts`, at an instant of its own, how the clusters now differ."""
    _begin_instant(connection, instant)
    connection.execute(
        f"""
        create or replace temp table component_labels as
        with differing as ({_DIFFERING_RECORDS})
        select clusters.record_key as node, clusters.cluster_key as label
        from unify.int_clusters as clusters
        inner join differing on differing.record_key = clusters.record_key
        """
    )
    ledger_acts.write_acts(connection)


def _begin_instant(connection: duckdb.DuckDBPyConnection, instant: datetime) -> None:
    """Set the instant, and find who leaves as staff by then and which ids stay behind."""
    connection.execute("set variable instant = ?::timestamp", [instant])
    ledger_acts.find_leaving(connection)


# Records of every cluster that spans several customers, or shares one with another cluster.
_DIFFERING_RECORDS = """
    with pairs as (
        select clusters.record_key, clusters.cluster_key, assignments.customer_id
        from unify.int_clusters as clusters
        left join assignments on assignments.record_key = clusters.record_key
    ),
    torn_clusters as (
        select cluster_key from pairs
        group by cluster_key
        having count(distinct customer_id) <> 1 or count(*) <> count(customer_id)
    ),
    shared_customers as (
        select customer_id from pairs
        where customer_id is not null
        group by customer_id
        having count(distinct cluster_key) > 1
    )
    select record_key from pairs
    where cluster_key in (select cluster_key from torn_clusters)
        or cluster_key in (
            select cluster_key from pairs
            where customer_id in (select customer_id from shared_customers)
        )
"""
