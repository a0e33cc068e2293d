-- one row: what holds for every identifier
with

identity_settings as (
    select default_phone_prefix,
    from {{ source('config', 'identity_settings') }}
)

select * from identity_settings
