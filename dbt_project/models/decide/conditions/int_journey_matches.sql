-- one row per condition about a journey and customer for whom it holds at the as-of
with

conditions as (
    select audience, condition_number, condition_kind, journey, stage, outcome, limit_days
    from {{ ref('stg_config__audience_conditions') }}
    where condition_kind in ('in_stage', 'journey_outcome')
),

clock as (
    select as_of from {{ ref('stg_pipeline__clock') }}
),

journeys as (
    select journey_instance_id, customer_id, journey, current_stage, outcome, ended_at
    from {{ ref('fct_journeys') }}
),

journey_stages as (
    select journey_instance_id, stage, entered_at
    from {{ ref('fct_journey_stages') }}
    where left_at is null
),

stages_waited as (
    select
        conditions.audience,
        conditions.condition_number,
        journeys.customer_id,
        {{ add_interval('journey_stages.entered_at', 'conditions.limit_days') }} as met_at,
    from conditions
    inner join journeys
        on
            conditions.journey = journeys.journey
            and conditions.stage = journeys.current_stage
    inner join journey_stages
        on
            journeys.journey_instance_id = journey_stages.journey_instance_id
            and journeys.current_stage = journey_stages.stage
    where
        conditions.condition_kind = 'in_stage'
        and journeys.outcome is null
),

outcomes_reached as (
    select
        conditions.audience,
        conditions.condition_number,
        journeys.customer_id,
        journeys.ended_at as met_at,
        {{ add_interval('journeys.ended_at', 'conditions.limit_days') }} as over_at,
    from conditions
    inner join journeys
        on
            conditions.journey = journeys.journey
            and conditions.outcome = journeys.outcome
    where conditions.condition_kind = 'journey_outcome'
),

-- What is exactly as old as its limit has waited long enough, and is no longer within it.
matches_stacked as (
    select stages_waited.*
    from stages_waited
    cross join clock
    where stages_waited.met_at <= clock.as_of
    union all
    select
        outcomes_reached.audience,
        outcomes_reached.condition_number,
        outcomes_reached.customer_id,
        outcomes_reached.met_at,
    from outcomes_reached
    cross join clock
    where
        outcomes_reached.over_at is null
        or outcomes_reached.over_at > clock.as_of
),

-- Where several instances of a journey hold it, the condition has held since the first.
matches as (
    select
        matches_stacked.audience,
        cast(matches_stacked.condition_number as integer) as condition_number,
        matches_stacked.customer_id,
        min(matches_stacked.met_at) as met_at,
    from matches_stacked
    group by
        matches_stacked.audience,
        matches_stacked.condition_number,
        matches_stacked.customer_id
)

select * from matches
