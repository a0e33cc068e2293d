-- one row per answered ticket or rating and KPI that counts it
with

touchpoints as (
    select touchpoint_id, customer_id, ticket_id, touchpoint_type, direction, occurred_at
    from {{ ref('fct_touchpoints') }}
    where touchpoint_type in ('ticket_opened', 'ticket_commented', 'ticket_rated')
),

support_events as (
    select touchpoint_id, score
    from {{ ref('int_support_events') }}
    where rating_scale = 'csat'
),

-- The ticket's own first text may stand as a comment of the same instant; only what staff
-- wrote is an answer.
answers as (
    select
        touchpoints.ticket_id,
        min(touchpoints.occurred_at) as answered_at,
    from touchpoints
    where
        touchpoints.touchpoint_type = 'ticket_commented'
        and touchpoints.direction = 'outbound'
    group by touchpoints.ticket_id
),

first_responses as (
    select
        'first_response_hours' as kpi,
        touchpoints.customer_id,
        cast(null as integer) as points,
        cast(
            floor({{ seconds_between('touchpoints.occurred_at', 'answers.answered_at') }})
            as bigint
        ) as measured_seconds,
        {{ reporting_date('touchpoints.occurred_at') }} as counted_date,
    from touchpoints
    inner join answers on touchpoints.ticket_id = answers.ticket_id
    where
        touchpoints.touchpoint_type = 'ticket_opened'
        and answers.answered_at >= touchpoints.occurred_at
),

ratings as (
    select
        'csat_share' as kpi,
        touchpoints.customer_id,
        support_events.score as points,
        cast(null as bigint) as measured_seconds,
        {{ reporting_date('touchpoints.occurred_at') }} as counted_date,
    from touchpoints
    inner join support_events on touchpoints.touchpoint_id = support_events.touchpoint_id
),

units as (
    select * from first_responses
    union all
    select * from ratings
)

select * from units
