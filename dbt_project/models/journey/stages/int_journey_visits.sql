-- one row per journey instance and stage that its customer entered
{{ config(
    materialized='incremental',
    incremental_strategy='touched_customers',
    tags=['customer_grain'],
    on_schema_change='fail',
) }}

with

journeys as (
    select journey, journey_version, entry_touchpoint_type, goal_stage, deadline_days
    from {{ ref('stg_config__journeys') }}
),

journey_stages as (
    select journey, stage, touchpoint_type, stage_number, occurrence_number
    from {{ ref('stg_config__journey_stages') }}
),

touchpoints as (
    select touchpoint_id, customer_id, touchpoint_type, occurred_at
    from {{ ref('fct_touchpoints') }}
    where
        touchpoint_type in (select listed.touchpoint_type from journey_stages as listed)
        and {{ touched_customers_filter('customer_id') }}
),

entries_ranked as (
    select
        journeys.journey,
        journeys.journey_version,
        journeys.goal_stage,
        touchpoints.customer_id,
        touchpoints.touchpoint_id,
        touchpoints.occurred_at as started_at,
        {{ add_interval('touchpoints.occurred_at', 'journeys.deadline_days', 'day') }}
            as deadline_at,
        row_number() over (
            partition by journeys.journey, touchpoints.customer_id
            order by touchpoints.occurred_at nulls last, touchpoints.touchpoint_id nulls last
        ) as entry_number,
    from journeys
    inner join touchpoints on journeys.entry_touchpoint_type = touchpoints.touchpoint_type
),

-- Once per customer: the earliest entry. Its touchpoint names the instance for good.
instances as (
    select
        entries_ranked.*,
        {{ stable_hash(['entries_ranked.journey', 'entries_ranked.touchpoint_id']) }}
            as journey_instance_id,
    from entries_ranked
    where entries_ranked.entry_number = 1
),

occurrences as (
    select
        instances.journey_instance_id,
        instances.customer_id,
        instances.journey,
        instances.journey_version,
        instances.goal_stage,
        instances.started_at,
        instances.deadline_at,
        journey_stages.stage,
        journey_stages.stage_number,
        journey_stages.occurrence_number as needed_occurrence_number,
        touchpoints.occurred_at as entered_at,
        row_number() over (
            partition by instances.journey_instance_id, journey_stages.stage
            order by touchpoints.occurred_at nulls last, touchpoints.touchpoint_id nulls last
        ) as occurrence_number,
    from instances
    inner join journey_stages on instances.journey = journey_stages.journey
    inner join touchpoints
        on
            instances.customer_id = touchpoints.customer_id
            and journey_stages.touchpoint_type = touchpoints.touchpoint_type
    where touchpoints.occurred_at >= instances.started_at
),

-- Exactly at the deadline is too late.
stages_reached as (
    select occurrences.*
    from occurrences
    where
        occurrences.occurrence_number = occurrences.needed_occurrence_number
        and occurrences.entered_at < occurrences.deadline_at
),

stages_beside_goal as (
    select
        stages_reached.*,
        min(
            case
                when stages_reached.stage = stages_reached.goal_stage
                    then stages_reached.entered_at
            end
        ) over (partition by stages_reached.journey_instance_id) as goal_reached_at,
    from stages_reached
),

-- The goal ends the instance: what comes after it is another story.
visits as (
    select
        stages_beside_goal.journey_instance_id,
        stages_beside_goal.customer_id,
        stages_beside_goal.journey,
        stages_beside_goal.stage,
        cast(stages_beside_goal.journey_version as integer) as journey_version,
        cast(stages_beside_goal.stage_number as integer) as stage_number,
        stages_beside_goal.entered_at,
        stages_beside_goal.started_at,
        stages_beside_goal.deadline_at,
        stages_beside_goal.goal_reached_at,
    from stages_beside_goal
    where
        stages_beside_goal.goal_reached_at is null
        or stages_beside_goal.entered_at <= stages_beside_goal.goal_reached_at
)

select * from visits
