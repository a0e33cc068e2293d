-- one row per attribute of the golden record with a rule of its own
with

identity_survivorship as (
    select
        attribute,
        survivorship_rule,
    from {{ source('config', 'identity_survivorship') }}
)

select * from identity_survivorship
