-- one row per condition that something has happened and customer for whom it holds at the as-of
with

conditions as (
    select audience, condition_number, touchpoint_type, error_code, limit_days
    from {{ ref('stg_config__audience_conditions') }}
    where condition_kind = 'had_touchpoint'
),

condition_values as (
    select audience, condition_number, condition_value
    from {{ ref('stg_config__audience_condition_values') }}
),

clock as (
    select as_of from {{ ref('stg_pipeline__clock') }}
),

latest_touchpoints as (
    select customer_id, touchpoint_type, error_code, latest_at
    from {{ ref('int_customer_latest_touchpoints') }}
),

occurrences as (
    select
        conditions.audience,
        conditions.condition_number,
        latest_touchpoints.customer_id,
        min(conditions.limit_days) as limit_days,
        max(latest_touchpoints.latest_at) as met_at,
    from conditions
    inner join latest_touchpoints
        on conditions.touchpoint_type = latest_touchpoints.touchpoint_type
    where
        conditions.error_code is null
        or conditions.error_code = latest_touchpoints.error_code
    group by
        conditions.audience, conditions.condition_number, latest_touchpoints.customer_id
),

answers as (
    select
        conditions.audience,
        conditions.condition_number,
        latest_touchpoints.customer_id,
        max(latest_touchpoints.latest_at) as answered_at,
    from conditions
    inner join condition_values
        on
            conditions.audience = condition_values.audience
            and conditions.condition_number = condition_values.condition_number
    inner join latest_touchpoints
        on condition_values.condition_value = latest_touchpoints.touchpoint_type
    group by
        conditions.audience, conditions.condition_number, latest_touchpoints.customer_id
),

occurrences_beside_answers as (
    select
        occurrences.audience,
        occurrences.condition_number,
        occurrences.customer_id,
        occurrences.met_at,
        answers.answered_at,
        {{ add_interval('occurrences.met_at', 'occurrences.limit_days') }} as over_at,
    from occurrences
    left join answers
        on
            occurrences.audience = answers.audience
            and occurrences.condition_number = answers.condition_number
            and occurrences.customer_id = answers.customer_id
),

-- What is exactly as old as its window is no longer within it; an answer of the same instant
-- came with it, not after it.
matches as (
    select
        occurrences_beside_answers.audience,
        cast(occurrences_beside_answers.condition_number as integer) as condition_number,
        occurrences_beside_answers.customer_id,
        occurrences_beside_answers.met_at,
    from occurrences_beside_answers
    cross join clock
    where
        occurrences_beside_answers.over_at > clock.as_of
        and (
            occurrences_beside_answers.answered_at is null
            or occurrences_beside_answers.answered_at <= occurrences_beside_answers.met_at
        )
)

select * from matches
