-- one row per condition of an audience
with

audience_conditions as (
    select
        audience,
        condition_kind,
        journey,
        stage,
        outcome,
        touchpoint_type,
        error_code,
        attribute,
        condition_number,
        limit_days,
    from {{ source('config', 'audience_conditions') }}
)

select * from audience_conditions
