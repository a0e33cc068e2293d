-- one row per cluster limit, record and time for which the record bears the limited value
{{ config(materialized='table' if target.type == 'spark' else 'view') }}

with

record_limits as (
    select
        record_key, cluster_limit, limited_value, at_most, refuses, known_at, dead_at,
    from {{ ref('int_record_limits') }}
),

decisions as (
    select decision_id, left_record_key, right_record_key, known_at
    from {{ ref('int_identity_decisions') }}
    where decision = 'cannot_link'
),

limited_values as (
    select * from record_limits
    union all
    select
        left_record_key, 'cannot_link ' || decision_id, 'one', 1, 'everything', known_at,
        cast(null as timestamp),
    from decisions
    union all
    select
        right_record_key, 'cannot_link ' || decision_id, 'other', 1, 'everything', known_at,
        cast(null as timestamp),
    from decisions
)

select * from limited_values
