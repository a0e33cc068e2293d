-- one row per match rule
with

identity_rules as (
    select
        rule,
        identifier_type,
        guard,
        fan_out_cap,
        trust,
        is_enabled,
    from {{ source('config', 'identity_rules') }}
)

select * from identity_rules
