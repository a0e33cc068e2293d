-- one row per record whose cluster the ledger has given an id
with

records as (
    select * from {{ ref('int_records') }}
),

customer_records as (
    select record_key, customer_id from {{ ref('stg_identity__customer_records') }}
    where customer_id is not null
),

record_customers as (
    select
        customer_records.customer_id,
        records.*,
        {{ time_order_key('records.version_at', 'records.record_key') }} as version_order,
    from records
    inner join customer_records on records.record_key = customer_records.record_key
)

select * from record_customers
