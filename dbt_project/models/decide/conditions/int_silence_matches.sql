-- one row per condition that nothing has happened and customer for whom it holds at the as-of
with

conditions as (
    select audience, condition_number, touchpoint_type, limit_days
    from {{ ref('stg_config__audience_conditions') }}
    where condition_kind = 'no_touchpoint'
),

clock as (
    select as_of from {{ ref('stg_pipeline__clock') }}
),

customers as (
    select customer_id, first_seen_at from {{ ref('dim_customers') }}
),

latest_touchpoints as (
    select customer_id, touchpoint_type, trigger_kind, latest_at
    from {{ ref('int_customer_latest_touchpoints') }}
),

-- Somebody of whom nothing was ever heard is silent since they were first seen, not for ever.
silences as (
    select
        conditions.audience,
        conditions.condition_number,
        customers.customer_id,
        min(conditions.limit_days) as limit_days,
        coalesce(max(latest_touchpoints.latest_at), min(customers.first_seen_at)) as silent_since,
    from conditions
    cross join customers
    left join latest_touchpoints
        on
            customers.customer_id = latest_touchpoints.customer_id
            and case
                when conditions.touchpoint_type is null
                    then latest_touchpoints.trigger_kind = 'customer'
                else conditions.touchpoint_type = latest_touchpoints.touchpoint_type
            end
    group by conditions.audience, conditions.condition_number, customers.customer_id
),

silences_dated as (
    select
        silences.audience,
        silences.condition_number,
        silences.customer_id,
        {{ add_interval('silences.silent_since', 'silences.limit_days') }} as met_at,
    from silences
),

matches as (
    select
        silences_dated.audience,
        cast(silences_dated.condition_number as integer) as condition_number,
        silences_dated.customer_id,
        silences_dated.met_at,
    from silences_dated
    cross join clock
    where silences_dated.met_at <= clock.as_of
)

select * from matches
