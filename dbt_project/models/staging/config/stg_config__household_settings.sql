-- one row per warehouse: what holds for every household
with

household_settings as (
    select size_cap from {{ source('config', 'household_settings') }}
)

select * from household_settings
