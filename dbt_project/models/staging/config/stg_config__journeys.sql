-- one row per journey
with

journeys as (
    select
        journey,
        entry_touchpoint_type,
        goal_stage,
        description,
        journey_version,
        deadline_days,
    from {{ source('config', 'journeys') }}
)

select * from journeys
