-- one row per customer's answer to the NPS question
with

touchpoints as (
    select touchpoint_id, customer_id, occurred_at
    from {{ ref('fct_touchpoints') }}
    where touchpoint_type = 'survey_answered'
),

survey_events as (
    select touchpoint_id, score
    from {{ ref('int_survey_events') }}
    where
        rating_scale = 'nps'
        and score is not null
),

units as (
    select
        'nps' as kpi,
        touchpoints.customer_id,
        cast(
            case
                when survey_events.score >= 9 then 1
                when survey_events.score >= 7 then 0
                else -1
            end as integer
        ) as points,
        cast(null as bigint) as measured_seconds,
        {{ reporting_date('touchpoints.occurred_at') }} as counted_date,
    from touchpoints
    inner join survey_events on touchpoints.touchpoint_id = survey_events.touchpoint_id
)

select * from units
