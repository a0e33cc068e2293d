-- one row per attribute and source, the most trusted first
with

identity_source_priorities as (
    select
        attribute,
        source,
        priority,
    from {{ source('config', 'identity_source_priorities') }}
)

select * from identity_source_priorities
