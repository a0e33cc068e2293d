-- one row per customer id that was given up for another
with

aliases as (
    select old_customer_id, customer_id, known_at
    from {{ ref('stg_identity__aliases') }}
),

customer_aliases as (
    select
        aliases.old_customer_id,
        aliases.customer_id,
        aliases.known_at,
    from aliases
)

select * from customer_aliases
