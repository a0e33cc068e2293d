-- one row per household rule
with

household_rules as (
    select
        rule,
        trust,
        uses_phone,
        uses_last_name,
        uses_postal_code,
        uses_country,
    from {{ source('config', 'household_rules') }}
)

select * from household_rules
