-- one row per record that the ledger has given to a customer
with

customer_records as (
    select
        record_key,
        customer_id,
        previous_customer_id,
        load_number,
        changed_at,
    from {{ source('identity', 'customer_records') }}
)

select * from customer_records
