-- one row per customer with a device that can be pushed to: the most restrictive of their devices
{{ config(
    materialized='incremental',
    incremental_strategy='touched_customers',
    tags=['customer_grain'],
    on_schema_change='fail',
) }}
{%- set text = dbt.type_string() %}

with

touchpoints as (
    select touchpoint_id, customer_id, device_pseudonym, touchpoint_type, occurred_at
    from {{ ref('fct_touchpoints') }}
    where
        device_type in ('ios', 'android')
        and {{ touched_customers_filter('customer_id') }}
),

answers_ranked as (
    select
        touchpoints.customer_id,
        touchpoints.touchpoint_type,
        row_number() over (
            partition by touchpoints.customer_id, touchpoints.device_pseudonym
            order by
                touchpoints.occurred_at desc nulls last,
                touchpoints.touchpoint_type nulls last,
                touchpoints.touchpoint_id nulls last
        ) as newest_first,
    from touchpoints
    where touchpoints.touchpoint_type in ('push_enabled', 'push_disabled')
),

answers_counted as (
    select
        answers_ranked.customer_id,
        count(*) as answer_count,
        count(
            case when answers_ranked.touchpoint_type = 'push_disabled' then 1 end
        ) as disabled_count,
    from answers_ranked
    where answers_ranked.newest_first = 1
    group by answers_ranked.customer_id
),

owners as (
    select distinct customer_id from touchpoints
),

push_consents as (
    select
        owners.customer_id,
        cast('push' as {{ text }}) as channel,
        cast(
            case
                when answers_counted.answer_count is null then 'never_given'
                when answers_counted.disabled_count > 0 then 'withdrawn'
                else 'granted'
            end as {{ text }}
        ) as consent_state,
        cast(
            case
                when answers_counted.answer_count is null then 'no_consent'
                when answers_counted.disabled_count > 0 then 'unsubscribed'
            end as {{ text }}
        ) as suppressed_by,
    from owners
    left join answers_counted on owners.customer_id = answers_counted.customer_id
)

select * from push_consents
