"""What the clusters at one instant change: the acts that go into the ledger.

Works on the temporary tables of the fold: `component_labels` (node, label) of the touched
clusters, `assignments` as before, `leaving` and `inherited`.

Who is known to be staff is no customer's record from that instant on. The ids whose first record
leaves so pass to the first of the records that stay behind.
"""

from __future__ import annotations

import duckdb


def find_leaving(connection: duckdb.DuckDBPyConnection) -> None:
    """Write `leaving`, the records that are staff's by now, and `inherited`, their ids' heirs."""
    connection.execute(_LEAVING)
    connection.execute(_INHERITED)


def write_acts(connection: duckdb.DuckDBPyConnection) -> None:
    """From `component_labels` to `acts`, and `assignments` brought up to date."""
    connection.execute(_CHOSEN_IDS)
    connection.execute(_ACTS)
    connection.execute(
        """
        delete from assignments
        where record_key in (select record_key from members union select record_key from leaving)
        """
    )
    connection.execute("insert into assignments select record_key, customer_id from members")


_LEAVING = """
create or replace temp table leaving as
select record_hashes.record_key, record_hashes.record_hash, assignments.customer_id
from assignments
inner join record_hashes on record_hashes.record_key = assignments.record_key
where record_hashes.staff_known_at <= getvariable('instant')
"""

# Every id that a leaving record holds, its own and those it has inherited before.
_INHERITED = """
create or replace temp table inherited as
with heirs as (
    select
        assignments.customer_id,
        min_by(
            record_hashes.record_hash, (record_hashes.first_received_at, record_hashes.record_key)
        ) as record_hash
    from assignments
    inner join record_hashes on record_hashes.record_key = assignments.record_key
    where assignments.customer_id in (select customer_id from leaving)
        and assignments.record_key not in (select record_key from leaving)
    group by assignments.customer_id
)
select id_holders.customer_id, heirs.record_hash
from leaving
inner join heirs on heirs.customer_id = leaving.customer_id
inner join id_holders on id_holders.record_hash = leaving.record_hash
"""

# A component keeps the issued id whose first record arrived first; one without gets the keyed
# hash of its own first record.
_CHOSEN_IDS = """
create or replace temp table members as
with holders as (
    select
        id_holders.customer_id,
        coalesce(inherited.record_hash, id_holders.record_hash) as record_hash,
        id_holders.created_at
    from id_holders
    left join inherited on inherited.customer_id = id_holders.customer_id
),
issued as (
    select record_hash, min_by(customer_id, (created_at, customer_id)) as customer_id
    from holders
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
gone as (
    select held_before.customer_id as other_customer_id, members.customer_id
    from held_before
    inner join id_holders on id_holders.customer_id = held_before.customer_id
    left join inherited on inherited.customer_id = held_before.customer_id
    inner join record_hashes
        on record_hashes.record_hash = coalesce(inherited.record_hash, id_holders.record_hash)
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
),
-- where no link of its own ended, it hung together by a record that left
left_behind as (
    select customer_id, min(record_hash) as evidence from leaving group by customer_id
)
select
    getvariable('instant') as instant,
    case when first_records.previous_customer_id is null then 'created' else 'split' end as change,
    first_records.customer_id,
    nullif(first_records.previous_customer_id, first_records.customer_id) as other_customer_id,
    first_records.record_hash,
    case
        when first_records.previous_customer_id is not null
            then coalesce(
                nullif(split_part(split_evidence.link, '|', 1), ''),
                case when left_behind.customer_id is not null then 'staff' end
            )
    end as rule,
    case
        when first_records.previous_customer_id is not null
            then coalesce(
                nullif(split_part(split_evidence.link, '|', 2), ''), left_behind.evidence
            )
    end as evidence
from first_records
left join split_evidence on split_evidence.customer_id = first_records.customer_id
left join left_behind on left_behind.customer_id = first_records.previous_customer_id
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
union all
select
    getvariable('instant'), 'corrected', customer_id, null, record_hash, 'staff',
    min(record_hash) over (partition by customer_id)
from leaving
union all
select getvariable('instant'), 'inherited', customer_id, null, record_hash, 'staff', null
from inherited
"""
