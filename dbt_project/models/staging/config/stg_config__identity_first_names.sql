-- one row per first name and group of names that are forms of one name
with

identity_first_names as (
    select
        first_name,
        name_group,
    from {{ source('config', 'identity_first_names') }}
)

select * from identity_first_names
