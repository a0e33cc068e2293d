-- one row per ended trial_to_paid instance and KPI that counts it
with

journeys as (
    select journey_instance_id, customer_id, outcome, started_at, ended_at
    from {{ ref('fct_journeys') }}
    where
        journey = 'trial_to_paid'
        and outcome is not null
),

activations as (
    select journey_instance_id
    from {{ ref('fct_journey_stages') }}
    where
        journey = 'trial_to_paid'
        and stage = 'activated'
),

-- People still on trial are neither won nor lost: they count from the day their trial ends.
conversions as (
    select
        'trial_conversion_share' as kpi,
        journeys.customer_id,
        cast(case when journeys.outcome = 'converted' then 1 else 0 end as integer) as points,
        cast(null as bigint) as measured_seconds,
        {{ reporting_date('journeys.started_at') }} as counted_date,
    from journeys
),

activated as (
    select
        'activation_share' as kpi,
        journeys.customer_id,
        cast(
            case when activations.journey_instance_id is not null then 1 else 0 end as integer
        ) as points,
        cast(null as bigint) as measured_seconds,
        {{ reporting_date('journeys.started_at') }} as counted_date,
    from journeys
    left join activations
        on journeys.journey_instance_id = activations.journey_instance_id
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
