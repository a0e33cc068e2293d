-- one row per decision of a person on two records that have both arrived
with

identity_decisions as (
    select * from {{ ref('stg_config__identity_decisions') }}
),

records as (
    select record_key, first_received_at from {{ ref('int_records_delivered') }}
),

decisions as (
    select
        identity_decisions.decision_id,
        identity_decisions.decision,
        identity_decisions.left_record_key,
        identity_decisions.right_record_key,
        identity_decisions.author,
        identity_decisions.reason,
        identity_decisions.decided_at,
        greatest(
            identity_decisions.decided_at,
            left_records.first_received_at,
            right_records.first_received_at
        ) as known_at,
    from identity_decisions
    inner join records as left_records
        on identity_decisions.left_record_key = left_records.record_key
    inner join records as right_records
        on identity_decisions.right_record_key = right_records.record_key
)

select * from decisions
