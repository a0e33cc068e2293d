-- one row per record about a person
{{ config(
    materialized='incremental',
    incremental_strategy='touched_customers',
    tags=['customer_grain'],
    on_schema_change='fail',
) }}

with

record_customers as (
    select customer_id, source, entity, record_id, created_at
    from {{ ref('int_record_customers') }}
    where {{ touched_customers_filter('customer_id') }}
),

customer_records as (
    select
        record_customers.source,
        record_customers.entity,
        record_customers.record_id,
        record_customers.customer_id,
        record_customers.created_at as valid_from,
        cast(null as timestamp) as valid_to,
    from record_customers
)

select * from customer_records
