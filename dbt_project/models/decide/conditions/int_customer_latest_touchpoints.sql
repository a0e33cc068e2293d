-- one row per customer, touchpoint type, trigger and error code: the latest one
{{ config(
    materialized='incremental',
    incremental_strategy='touched_customers',
    tags=['customer_grain'],
    on_schema_change='fail',
) }}

with

touchpoints as (
    select customer_id, touchpoint_type, trigger_kind, error_code, occurred_at
    from {{ ref('fct_touchpoints') }}
    where {{ touched_customers_filter('customer_id') }}
),

-- Conditions look at this small table each night; the touchpoints are read for the touched alone.
latest_touchpoints as (
    select
        touchpoints.customer_id,
        touchpoints.touchpoint_type,
        touchpoints.trigger_kind,
        touchpoints.error_code,
        max(touchpoints.occurred_at) as latest_at,
    from touchpoints
    group by
        touchpoints.customer_id,
        touchpoints.touchpoint_type,
        touchpoints.trigger_kind,
        touchpoints.error_code
)

select * from latest_touchpoints
