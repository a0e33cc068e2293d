-- one row per value or pattern that never links records
with

identity_blocked_values as (
    select
        identifier_type,
        pattern,
        reason,
    from {{ source('config', 'identity_blocked_values') }}
)

select * from identity_blocked_values
