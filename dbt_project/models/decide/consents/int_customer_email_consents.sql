-- one row per customer: what holds for e-mail now, and why they may not be written to
{{ config(
    materialized='incremental',
    incremental_strategy='touched_customers',
    tags=['customer_grain'],
    on_schema_change='fail',
) }}
{%- set text = dbt.type_string() %}

with

record_customers as (
    select customer_id, email, subscription_status
    from {{ ref('int_record_customers') }}
    where {{ touched_customers_filter('customer_id') }}
),

consents as (
    {{- standing_consents('email') }}
),

complaints as (
    select distinct customer_id
    from {{ ref('int_customer_latest_touchpoints') }}
    where
        touchpoint_type = 'email_abuse_reported'
        and {{ touched_customers_filter('customer_id') }}
),

subscriptions_counted as (
    select
        record_customers.customer_id,
        count(record_customers.email) as address_count,
        count(record_customers.subscription_status) as subscription_count,
        count(
            case when record_customers.subscription_status = 'subscribed' then 1 end
        ) as standing_count,
        count(
            case when record_customers.subscription_status = 'cleaned' then 1 end
        ) as bounced_count,
    from record_customers
    group by record_customers.customer_id
),

subscriptions_beside_consents as (
    select
        subscriptions_counted.*,
        coalesce(consents.state, 'never_given') as consent_state,
        complaints.customer_id is not null as has_complained,
    from subscriptions_counted
    left join consents on subscriptions_counted.customer_id = consents.customer_id
    left join complaints on subscriptions_counted.customer_id = complaints.customer_id
),

-- What was agreed to is decided in unify; here is whether mail may and can arrive. A subscription
-- that is granted and does not stand was archived: the list has no address to write to.
email_consents as (
    select
        subscriptions_beside_consents.customer_id,
        cast('email' as {{ text }}) as channel,
        cast(subscriptions_beside_consents.consent_state as {{ text }}) as consent_state,
        cast(
            case
                when subscriptions_beside_consents.has_complained then 'complained'
                when subscriptions_beside_consents.consent_state = 'withdrawn' then 'unsubscribed'
                when subscriptions_beside_consents.address_count = 0 then 'no_address'
                when subscriptions_beside_consents.consent_state = 'pending' then 'no_consent'
                when subscriptions_beside_consents.bounced_count > 0 then 'bounced'
                when subscriptions_beside_consents.consent_state <> 'granted' then 'no_consent'
                when
                    subscriptions_beside_consents.standing_count = 0
                    or subscriptions_beside_consents.standing_count
                    < subscriptions_beside_consents.subscription_count
                    then 'no_address'
            end as {{ text }}
        ) as suppressed_by,
    from subscriptions_beside_consents
)

select * from email_consents
