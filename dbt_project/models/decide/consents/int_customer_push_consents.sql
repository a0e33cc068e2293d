-- one row per customer: what holds for push now, and why they may not be pushed to
{{ config(
    materialized='incremental',
    incremental_strategy='touched_customers',
    tags=['customer_grain'],
    on_schema_change='fail',
) }}
{%- set text = dbt.type_string() %}

with

customers as (
    select customer_id from {{ ref('dim_customers') }}
    where {{ touched_customers_filter('customer_id') }}
),

consents as (
    {{- standing_consents('push') }}
),

device_owners as (
    select distinct customer_id
    from {{ ref('fct_touchpoints') }}
    where
        device_type in ('ios', 'android')
        and {{ touched_customers_filter('customer_id') }}
),

customers_beside_consents as (
    select
        customers.customer_id,
        coalesce(consents.state, 'never_given') as consent_state,
        device_owners.customer_id is not null as has_device,
    from customers
    left join consents on customers.customer_id = consents.customer_id
    left join device_owners on customers.customer_id = device_owners.customer_id
),

push_consents as (
    select
        customers_beside_consents.customer_id,
        cast('push' as {{ text }}) as channel,
        cast(customers_beside_consents.consent_state as {{ text }}) as consent_state,
        cast(
            case
                when customers_beside_consents.consent_state = 'withdrawn' then 'unsubscribed'
                when not customers_beside_consents.has_device then 'no_address'
                when customers_beside_consents.consent_state <> 'granted' then 'no_consent'
            end as {{ text }}
        ) as suppressed_by,
    from customers_beside_consents
)

select * from push_consents
