-- one row per visit of a journey instance to a stage
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
        journey_instance_id, customer_id, journey, stage, stage_number, entered_at
    from {{ ref('int_journey_visits') }}
    where {{ touched_customers_filter('customer_id') }}
),

journeys as (
    select journey_instance_id, outcome, ended_at
    from {{ ref('fct_journeys') }}
),

visits_beside_next as (
    select
        visits.*,
        row_number() over (
            partition by visits.journey_instance_id
            order by visits.entered_at nulls last, visits.stage_number nulls last
        ) as order_number,
        lead(visits.entered_at) over (
            partition by visits.journey_instance_id
            order by visits.entered_at nulls last, visits.stage_number nulls last
        ) as next_entered_at,
    from visits
),

stages as (
    select
        visits_beside_next.journey_instance_id,
        visits_beside_next.customer_id,
        visits_beside_next.journey,
        visits_beside_next.stage,
        cast(1 as integer) as visit_number,
        visits_beside_next.entered_at,
        cast(
            case when visits_beside_next.order_number = 1 then 'entry' else 'move' end
            as {{ text }}
        ) as entered_by,
        coalesce(
            visits_beside_next.next_entered_at,
            case when journeys.outcome = 'expired' then journeys.ended_at end
        ) as left_at,
        cast(
            case
                when visits_beside_next.next_entered_at is not null then 'move'
                when journeys.outcome = 'expired' then 'deadline'
            end as {{ text }}
        ) as left_by,
    from visits_beside_next
    inner join journeys
        on visits_beside_next.journey_instance_id = journeys.journey_instance_id
)

select * from stages
