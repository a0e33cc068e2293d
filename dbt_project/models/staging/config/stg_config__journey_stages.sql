-- one row per stage of a journey
with

journey_stages as (
    select
        journey,
        stage,
        touchpoint_type,
        description,
        stage_number,
        occurrence_number,
    from {{ source('config', 'journey_stages') }}
)

select * from journey_stages
