"""One step of the ledger's fold: from the clusters at one instant to the acts that follow.

Works on the temporary tables of one connection: `ledger` (the acts so far), `record_hashes`
(record_key, record_hash, first_received_at), and writes `acts`. Only the components that something
touches are looked at.
"""

from __future__ import annotations

from datetime import datetime

import duckdb

from orchestration.unify.components import label_components


def prepare_records(connection: duckdb.DuckDBPyConnection) -> None:
    """Hash each record's key once and read the assignments that hold now."""
    connection.execute(
        """
        create or replace temp table record_hashes as
        select record_key, ledger_hash('record/' || record_key) as record_hash, first_received_at
        from unify.int_records
        """
    )
    connection.execute(
        """
        create or replace temp table assignments as
        with last_assignments as (
            select record_hash, max_by(customer_id, instant) as customer_id
            from ledger
            where change = 'assigned'
            group by record_hash
        )
        select record_hashes.record_key, last_assignments.customer_id
        from last_assignments
        inner join record_hashes on record_hashes.record_hash = last_assignments.record_hash
        """
    )


def waiting_instants(connection: duckdb.DuckDBPyConnection) -> list[datetime]:
    """The arrival instants after the ledger's last one, at which records or edges changed."""
    rows = connection.execute(
        """
        with instants as (
            select first_received_at as instant from unify.int_records
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
    connection.execute("set variable instant = ?::timestamp", [instant])
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
        ),
        stirred_customers as (
            select distinct assignments.customer_id
            from stirred
            inner join assignments on assignments.record_key = stirred.record_key
        )
        select record_key as node from stirred
        union
        select assignments.record_key
        from assignments
        inner join stirred_customers on stirred_customers.customer_id = assignments.customer_id
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
    _write_acts(connection)


def clusters_differ(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether dbt's clusters are grouped otherwise than the ledger has them.

    So it is after a change of rules, and where rows arrived before the last instant.
    """
    row = connection.execute(f"select count(*) from ({_DIFFERING_RECORDS})").fetchone()
    return row is not None and row[0] > 0


def fold_differences(connection: duckdb.DuckDBPyConnection, instant: datetime) -> None:
    """Write into `acts`, at an instant of its own, how the clusters now differ."""
    connection.execute("set variable instant = ?::timestamp", [instant])
    connection.execute(
        f"""
        create or replace temp table component_labels as
        with differing as ({_DIFFERING_RECORDS})
        select clusters.record_key as node, clusters.cluster_key as label
        from unify.int_clusters as clusters
        inner join differing on differing.record_key = clusters.record_key
        """
    )
    _write_acts(connection)


def _write_acts(connection: duckdb.DuckDBPyConnection) -> None:
    """From `component_labels` to `acts`, and `assignments` brought up to date."""
    connection.execute(_CHOSEN_IDS)
    connection.execute(_ACTS)
    connection.execute(
        """
        delete from assignments where record_key in (select record_key from members)
        """
    )
    connection.execute("insert into assignments select record_key, customer_id from members")


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

# A component keeps the issued id whose first record arrived first; one without gets the keyed
# hash of its own first record.
_CHOSEN_IDS = """
create or replace temp table members as
with issued as (
    select record_hash, min_by(customer_id, instant) as customer_id
    from ledger
    where change in ('created', 'split')
    group by record_hash
),
ranked as (
    select
        component_labels.label,
        record_hashes.record_key,
        issued.customer_id as issued_id,
        row_number() over (
            partition by component_labels.label
            order by
                case when issued.customer_id is null then 1 else 0 end,
                record_hashes.first_received_at,
                record_hashes.record_key
        ) as place
    from component_labels
    inner join record_hashes on record_hashes.record_key = component_labels.node
    left join issued on issued.record_hash = record_hashes.record_hash
),
ids as (
    select
        label,
        record_key as first_record_key,
        coalesce(issued_id, ledger_hash('customer/' || record_key)) as customer_id,
        issued_id is null as is_new
    from ranked
    where place = 1
)
select
    component_labels.node as record_key,
    ids.customer_id,
    ids.is_new,
    component_labels.node = ids.first_record_key as is_first_record,
    assignments.customer_id as previous_customer_id
from component_labels
inner join ids on ids.label = component_labels.label
left join assignments on assignments.record_key = component_labels.node
"""

_ACTS = """
create or replace temp table acts as
with first_records as (
    select
        members.customer_id,
        members.previous_customer_id,
        members.is_new,
        record_hashes.record_hash
    from members
    inner join record_hashes on record_hashes.record_key = members.record_key
    where members.is_first_record
),
held_before as (
    select distinct previous_customer_id as customer_id from members
    where previous_customer_id is not null
),
held_now as (
    select distinct customer_id from members
),
-- an id that held records and holds none any more went where its first record is now
issued as (
    select record_hash, min_by(customer_id, instant) as customer_id
    from ledger
    where change in ('created', 'split')
    group by record_hash
),
gone as (
    select held_before.customer_id as other_customer_id, members.customer_id
    from held_before
    inner join issued on issued.customer_id = held_before.customer_id
    inner join record_hashes on record_hashes.record_hash = issued.record_hash
    inner join members on members.record_key = record_hashes.record_key
    where held_before.customer_id not in (select customer_id from held_now)
),
decisions as (
    select decision_id, decision_id || ' ' || author as said from unify.int_identity_decisions
),
stirred_edges as (
    select
        'merged' as change, edges.left_record_key, edges.right_record_key, edges.rule,
        case when edges.rule = 'must_link' then edges.evidence end as decision_id
    from unify.int_match_edges as edges
    where edges.known_at = getvariable('instant')
    union all
    select
        'split', edges.left_record_key, edges.right_record_key,
        split_part(coalesce(edges.ended_by, edges.rule), ' ', 1),
        nullif(split_part(edges.ended_by, ' ', 2), '')
    from unify.int_match_edges as edges
    where edges.dead_at = getvariable('instant')
),
stirred_ends as (
    select *, left_record_key as record_key, right_record_key as other_record_key
    from stirred_edges
    union all
    select *, right_record_key, left_record_key from stirred_edges
),
-- the rule and the keyed hashes of two records, or the decision and who made it
links as (
    select
        stirred_ends.change, stirred_ends.record_key, stirred_ends.other_record_key,
        stirred_ends.rule || '|' || coalesce(
            decisions.said,
            least(near.record_hash, far.record_hash) || ' '
            || greatest(near.record_hash, far.record_hash)
        ) as link
    from stirred_ends
    inner join record_hashes as near on near.record_key = stirred_ends.record_key
    inner join record_hashes as far on far.record_key = stirred_ends.other_record_key
    left join decisions on decisions.decision_id = stirred_ends.decision_id
),
evidence as (
    select gone.other_customer_id, min(links.link) as link
    from gone
    inner join members on members.previous_customer_id = gone.other_customer_id
    inner join links on links.record_key = members.record_key and links.change = 'merged'
    group by gone.other_customer_id
),
split_evidence as (
    select members.customer_id, min(links.link) as link
    from members
    inner join links on links.record_key = members.record_key and links.change = 'split'
    inner join members as others on others.record_key = links.other_record_key
        and others.customer_id <> members.customer_id
    group by members.customer_id
)
select
    getvariable('instant') as instant,
    case when first_records.previous_customer_id is null then 'created' else 'split' end as change,
    first_records.customer_id,
    nullif(first_records.previous_customer_id, first_records.customer_id) as other_customer_id,
    first_records.record_hash,
    case
        when first_records.previous_customer_id is not null
            then nullif(split_part(split_evidence.link, '|', 1), '')
    end as rule,
    case
        when first_records.previous_customer_id is not null
            then nullif(split_part(split_evidence.link, '|', 2), '')
    end as evidence
from first_records
left join split_evidence on split_evidence.customer_id = first_records.customer_id
where first_records.is_new
    or (first_records.previous_customer_id is not null
        and first_records.previous_customer_id <> first_records.customer_id
        and first_records.customer_id not in (select customer_id from held_before))
union all
select
    getvariable('instant'), 'merged', gone.customer_id, gone.other_customer_id, null,
    split_part(evidence.link, '|', 1),
    split_part(evidence.link, '|', 2)
from gone
left join evidence on evidence.other_customer_id = gone.other_customer_id
union all
select
    getvariable('instant'), 'assigned', members.customer_id, members.previous_customer_id,
    record_hashes.record_hash, null, null
from members
inner join record_hashes on record_hashes.record_key = members.record_key
where members.previous_customer_id is distinct from members.customer_id
"""
