-- one row per comparison and level of the trained matcher
with

identity_level_weights as (
    select
        comparison,
        level,
        label,
        weight,
    from {{ source('config', 'identity_level_weights') }}
)

select * from identity_level_weights
