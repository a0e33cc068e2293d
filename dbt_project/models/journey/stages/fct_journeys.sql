-- one row per journey instance
{{ config(
    materialized='incremental',
    incremental_strategy='touched_customers',
    tags=['customer_grain'],
    on_schema_change='fail',
) }}
{%- set text = dbt.type_string() %}

with

visits as (
    select
        journey_instance_id,
        customer_id,
        journey,
        stage,
        journey_version,
        stage_number,
        entered_at,
        started_at,
        deadline_at,
        goal_reached_at,
    from {{ ref('int_journey_visits') }}
    where {{ touched_customers_filter('customer_id') }}
),

clock as (
    select as_of from {{ ref('stg_pipeline__clock') }}
),

visits_ranked as (
    select
        visits.*,
        row_number() over (
            partition by visits.journey_instance_id
            order by visits.entered_at desc nulls last, visits.stage_number desc nulls last
        ) as newest_first,
    from visits
),

-- A time-out is a comparison with the as-of, not an event.
journeys as (
    select
        visits_ranked.journey_instance_id,
        visits_ranked.customer_id,
        visits_ranked.journey,
        visits_ranked.journey_version,
        cast(visits_ranked.stage as {{ text }}) as current_stage,
        cast(
            case
                when visits_ranked.goal_reached_at is not null then 'converted'
                when visits_ranked.deadline_at <= clock.as_of then 'expired'
            end as {{ text }}
        ) as outcome,
        visits_ranked.started_at,
        case
            when visits_ranked.goal_reached_at is not null then visits_ranked.goal_reached_at
            when visits_ranked.deadline_at <= clock.as_of then visits_ranked.deadline_at
        end as ended_at,
        case
            when
                visits_ranked.goal_reached_at is null and visits_ranked.deadline_at > clock.as_of
                then visits_ranked.deadline_at
        end as next_deadline_at,
    from visits_ranked
    cross join clock
    where visits_ranked.newest_first = 1
)

select * from journeys
