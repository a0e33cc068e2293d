-- one row per subscription and month at whose start it was active
with

subscriptions as (
    select
        subscription_id,
        customer_id,
        {{ reporting_date('started_at') }} as started_date,
        {{ reporting_date('cancelled_at') }} as cancelled_date,
    from {{ ref('int_subscriptions') }}
),

-- Midnight ends the day before: a month that begins there has not been seen yet.
last_days as (
    select {{ reporting_date(add_interval('as_of', -1, 'second')) }} as last_date
    from {{ ref('stg_pipeline__clock') }}
),

months_active as (
    select
        subscriptions.subscription_id,
        subscriptions.customer_id,
        subscriptions.started_date,
        subscriptions.cancelled_date,
        {{ months_to_rows(
            "cast(date_trunc('month', subscriptions.started_date) as date)",
            'coalesce(subscriptions.cancelled_date, last_days.last_date)',
        ) }} as month_start,
    from subscriptions
    cross join last_days
),

units as (
    select
        'churn_share' as kpi,
        months_active.customer_id,
        cast(
            case
                when
                    cast(date_trunc('month', months_active.cancelled_date) as date)
                    = months_active.month_start
                    then 1
                else 0
            end as integer
        ) as points,
        cast(null as bigint) as measured_seconds,
        months_active.month_start as counted_date,
    from months_active
    where months_active.started_date < months_active.month_start
)

select * from units
