-- one row per value that a condition lists
with

audience_condition_values as (
    select
        audience,
        condition_value,
        condition_number,
    from {{ source('config', 'audience_condition_values') }}
)

select * from audience_condition_values
