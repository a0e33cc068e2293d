-- one row per decision and pair of records
with

identity_decisions as (
    select
        decision_id,
        decision,
        left_record_key,
        right_record_key,
        author,
        reason,
        decided_at,
    from {{ source('config', 'identity_decisions') }}
)

select * from identity_decisions
