-- one row per condition that nothing has happened and customer for whom it holds at the as-of
{%- set any_of_the_customer = "'*'" %}
with

conditions as (
    select
        audience,
        condition_number,
        coalesce(touchpoint_type, {{ any_of_the_customer }}) as listened_for,
        limit_days,
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

-- Without a type a condition listens for whatever the customer set off. As one equality: a choice
-- between two conditions would compare every customer with every touchpoint.
touchpoints_heard as (
    select
        latest_touchpoints.customer_id,
        latest_touchpoints.touchpoint_type as heard,
        latest_touchpoints.latest_at,
    from latest_touchpoints
    union all
    select
        latest_touchpoints.customer_id,
        {{ any_of_the_customer }} as heard,
        latest_touchpoints.latest_at,
    from latest_touchpoints
    where latest_touchpoints.trigger_kind = 'customer'
),

-- Somebody of whom nothing was ever heard is silent since they were first seen, not for ever.
silences as (
    select
        conditions.audience,
        conditions.condition_number,
        customers.customer_id,
        min(conditions.limit_days) as limit_days,
        coalesce(max(touchpoints_heard.latest_at), min(customers.first_seen_at)) as silent_since,
    from conditions
    cross join customers
    left join touchpoints_heard
        on
            customers.customer_id = touchpoints_heard.customer_id
            and conditions.listened_for = touchpoints_heard.heard
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
