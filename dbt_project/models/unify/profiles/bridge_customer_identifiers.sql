-- one row per customer and identifier that any of the customer's records bore
{{ config(
    materialized='incremental',
    incremental_strategy='touched_customers',
    tags=['customer_grain'],
    on_schema_change='fail',
) }}

with

record_identifiers as (
    select record_key, identifier_type, identifier_value, valid_from
    from {{ ref('int_record_identifiers') }}
),

record_customers as (
    select customer_id, record_key from {{ ref('int_record_customers') }}
    where {{ touched_customers_filter('customer_id') }}
),

identifiers_by_customer as (
    select
        record_identifiers.identifier_type,
        record_identifiers.identifier_value,
        record_customers.customer_id,
        min(record_identifiers.valid_from) as valid_from,
    from record_identifiers
    inner join record_customers
        on record_identifiers.record_key = record_customers.record_key
    group by
        record_identifiers.identifier_type,
        record_identifiers.identifier_value,
        record_customers.customer_id
),

customer_identifiers as (
    select
        identifiers_by_customer.identifier_type,
        {{ pseudonym('identifiers_by_customer.identifier_value') }} as identifier_value,
        identifiers_by_customer.customer_id,
        identifiers_by_customer.valid_from,
        cast(null as timestamp) as valid_to,
    from identifiers_by_customer
)

select * from customer_identifiers
