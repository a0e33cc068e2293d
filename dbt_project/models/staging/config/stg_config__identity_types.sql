-- one row per type of identifier
with

identity_types as (
    select
        identifier_type,
        normaliser,
    from {{ source('config', 'identity_types') }}
)

select * from identity_types
