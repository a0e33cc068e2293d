-- one row per trial_to_paid instance and KPI that counts it
with

journeys as (
    select journey_instance_id, customer_id, outcome, started_at, ended_at
    from {{ ref('fct_journeys') }}
    where
        journey = 'trial_to_paid'
        and outcome is not null
),

limits as (
    select journey, deadline_days from {{ ref('stg_config__journeys') }}
),

clock as (
    select as_of from {{ ref('stg_pipeline__clock') }}
),

activations as (
    select journey_instance_id
    from {{ ref('fct_journey_stages') }}
    where
        journey = 'trial_to_paid'
        and stage = 'activated'
),

-- Whoever is fast ends first, so an instance counts when its time is over, however it ended:
-- a month holds the slow beside the fast, and nobody who is still waiting.
journeys_with_limit as (
    select
        journeys.journey_instance_id,
        journeys.customer_id,
        journeys.outcome,
        {{ add_interval('journeys.started_at', 'limits.deadline_days', 'day') }} as limit_at,
    from journeys
    cross join limits
    where limits.journey = 'trial_to_paid'
),

journeys_over as (
    select journeys_with_limit.*
    from journeys_with_limit
    cross join clock
    where journeys_with_limit.limit_at <= clock.as_of
),

conversions as (
    select
        'trial_conversion_share' as kpi,
        journeys_over.customer_id,
        cast(case when journeys_over.outcome = 'converted' then 1 else 0 end as integer)
            as points,
        cast(null as bigint) as measured_seconds,
        {{ reporting_date('journeys_over.limit_at') }} as counted_date,
    from journeys_over
),

activated as (
    select
        'activation_share' as kpi,
        journeys_over.customer_id,
        cast(
            case when activations.journey_instance_id is not null then 1 else 0 end as integer
        ) as points,
        cast(null as bigint) as measured_seconds,
        {{ reporting_date('journeys_over.limit_at') }} as counted_date,
    from journeys_over
    left join activations
        on journeys_over.journey_instance_id = activations.journey_instance_id
),

times_to_convert as (
    select
        'time_to_convert_days' as kpi,
        journeys.customer_id,
        cast(null as integer) as points,
        cast(
            floor({{ seconds_between('journeys.started_at', 'journeys.ended_at') }}) as bigint
        ) as measured_seconds,
        {{ reporting_date('journeys.ended_at') }} as counted_date,
    from journeys
    where journeys.outcome = 'converted'
),

units as (
    select * from conversions
    union all
    select * from activated
    union all
    select * from times_to_convert
)

select * from units
