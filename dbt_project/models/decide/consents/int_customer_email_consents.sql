-- one row per customer: what was said about e-mail, the most restrictive of it
{{ config(
    materialized='incremental',
    incremental_strategy='touched_customers',
    tags=['customer_grain'],
    on_schema_change='fail',
) }}
{%- set text = dbt.type_string() %}

with

record_customers as (
    select customer_id, email, subscription_status, version_at
    from {{ ref('int_record_customers') }}
    where {{ touched_customers_filter('customer_id') }}
),

latest_touchpoints as (
    select customer_id, touchpoint_type, latest_at
    from {{ ref('int_customer_latest_touchpoints') }}
    where
        touchpoint_type in ('email_unsubscribed', 'email_abuse_reported')
        and {{ touched_customers_filter('customer_id') }}
),

refusals as (
    select
        latest_touchpoints.customer_id,
        max(
            case
                when latest_touchpoints.touchpoint_type = 'email_unsubscribed'
                    then latest_touchpoints.latest_at
            end
        ) as unsubscribed_at,
        max(
            case
                when latest_touchpoints.touchpoint_type = 'email_abuse_reported'
                    then latest_touchpoints.latest_at
            end
        ) as complained_at,
    from latest_touchpoints
    group by latest_touchpoints.customer_id
),

subscriptions_counted as (
    select
        record_customers.customer_id,
        count(record_customers.email) as address_count,
        count(record_customers.subscription_status) as subscription_count,
        count(
            case when record_customers.subscription_status = 'unsubscribed' then 1 end
        ) as unsubscribed_count,
        count(
            case when record_customers.subscription_status = 'cleaned' then 1 end
        ) as bounced_count,
        count(
            case
                when record_customers.subscription_status
                    not in ('subscribed', 'unsubscribed', 'cleaned')
                    then 1
            end
        ) as pending_count,
        min(
            case
                when record_customers.subscription_status = 'subscribed'
                    then record_customers.version_at
            end
        ) as subscribed_at,
    from record_customers
    group by record_customers.customer_id
),

-- Who unsubscribed is heard before the list says so; a later word of every subscription counts
-- again. A complaint is never taken back by a later edit of the record.
subscriptions_beside_refusals as (
    select
        subscriptions_counted.*,
        refusals.complained_at is not null as has_complained,
        subscriptions_counted.unsubscribed_count > 0
        or coalesce(
            refusals.unsubscribed_at >= subscriptions_counted.subscribed_at,
            refusals.unsubscribed_at is not null
        ) as has_unsubscribed,
    from subscriptions_counted
    left join refusals on subscriptions_counted.customer_id = refusals.customer_id
),

email_consents as (
    select
        subscriptions_beside_refusals.customer_id,
        cast('email' as {{ text }}) as channel,
        cast(
            case
                when subscriptions_beside_refusals.has_complained then 'withdrawn'
                when subscriptions_beside_refusals.has_unsubscribed then 'withdrawn'
                when subscriptions_beside_refusals.subscription_count = 0 then 'never_given'
                when subscriptions_beside_refusals.pending_count > 0 then 'pending'
                else 'granted'
            end as {{ text }}
        ) as consent_state,
        cast(
            case
                when subscriptions_beside_refusals.has_complained then 'complained'
                when subscriptions_beside_refusals.has_unsubscribed then 'unsubscribed'
                when subscriptions_beside_refusals.address_count = 0 then 'no_address'
                when
                    subscriptions_beside_refusals.subscription_count = 0
                    or subscriptions_beside_refusals.pending_count > 0
                    then 'no_consent'
                when subscriptions_beside_refusals.bounced_count > 0 then 'bounced'
            end as {{ text }}
        ) as suppressed_by,
    from subscriptions_beside_refusals
)

select * from email_consents
