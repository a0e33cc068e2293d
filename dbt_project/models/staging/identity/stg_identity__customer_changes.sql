-- one row per load and customer whose records changed at it
with

customer_changes as (
    select
        customer_id,
        load_number,
    from {{ source('identity', 'customer_changes') }}
)

select * from customer_changes
