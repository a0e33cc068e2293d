-- one row per match rule
with

identity_rules as (
    select
        rule,
        kind,
        fan_out_cap,
        trust,
        is_enabled,
    from {{ source('config', 'identity_rules') }}
)

select * from identity_rules
