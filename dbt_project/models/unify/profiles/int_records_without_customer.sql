-- one row per record whose cluster has no id yet: the ledger has not run since it arrived
with

records as (
    select record_key, source, first_received_at from {{ ref('int_records') }}
),

customer_records as (
    select record_key from {{ ref('stg_identity__customer_records') }}
    where customer_id is not null
),

records_without_customer as (
    select
        records.record_key,
        records.source,
        records.first_received_at,
    from records
    left join customer_records on records.record_key = customer_records.record_key
    where customer_records.record_key is null
)

select * from records_without_customer
