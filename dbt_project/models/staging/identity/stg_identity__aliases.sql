-- one row per id that was given up for another
with

aliases as (
    select
        old_customer_id,
        customer_id,
        known_at,
    from {{ source('identity', 'aliases') }}
)

select * from aliases
