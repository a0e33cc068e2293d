-- one row per change of a customer id
with

history as (
    select
        customer_id,
        other_customer_id,
        change,
        rule,
        evidence,
        known_at,
        occurred_at,
    from {{ source('identity', 'history') }}
)

select * from history
