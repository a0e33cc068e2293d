-- one row per move of a journey instance from one stage to the next
{{ config(
    materialized='incremental',
    incremental_strategy='touched_customers',
    tags=['customer_grain'],
    on_schema_change='fail',
) }}

with

visits as (
    select
        journey_instance_id, customer_id, journey, stage, stage_number, entered_at
    from {{ ref('int_journey_visits') }}
    where {{ touched_customers_filter('customer_id') }}
),

visits_beside_next as (
    select
        visits.journey_instance_id,
        visits.customer_id,
        visits.journey,
        visits.stage as from_stage,
        visits.entered_at,
        lead(visits.stage) over (
            partition by visits.journey_instance_id
            order by visits.entered_at nulls last, visits.stage_number nulls last
        ) as to_stage,
        lead(visits.entered_at) over (
            partition by visits.journey_instance_id
            order by visits.entered_at nulls last, visits.stage_number nulls last
        ) as moved_at,
    from visits
),

moves as (
    select
        visits_beside_next.journey_instance_id,
        visits_beside_next.customer_id,
        visits_beside_next.journey,
        visits_beside_next.from_stage,
        visits_beside_next.to_stage,
        cast(
            floor(
                {{ seconds_between(
                    'visits_beside_next.entered_at', 'visits_beside_next.moved_at'
                ) }}
            ) as bigint
        ) as stay_seconds,
        visits_beside_next.moved_at,
    from visits_beside_next
    where visits_beside_next.to_stage is not null
)

select * from moves
