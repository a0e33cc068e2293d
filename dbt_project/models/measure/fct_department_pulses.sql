-- one row per department, question and month in which somebody of it answered
{%- set text = dbt.type_string() %}
{%- set at_least = var('smallest_pulse_count', 5) %}

with

pulses as (
    select department, question_id, score, responded_at
    from {{ ref('stg_surveys__pulses') }}
    where score is not null
),

pulses_dated as (
    select
        lower(trim(pulses.department)) as department,
        pulses.question_id,
        pulses.score,
        {{ reporting_date('pulses.responded_at') }} as responded_date,
    from pulses
),

pulses_by_month as (
    select
        pulses_dated.department,
        pulses_dated.question_id,
        pulses_dated.score,
        cast(date_trunc('month', pulses_dated.responded_date) as date) as period_start,
    from pulses_dated
),

pulses_counted as (
    select
        pulses_by_month.department,
        pulses_by_month.question_id,
        pulses_by_month.period_start,
        count(*) as answer_count,
        cast(sum(pulses_by_month.score) as double) as score_sum,
    from pulses_by_month
    group by
        pulses_by_month.department,
        pulses_by_month.question_id,
        pulses_by_month.period_start
),

-- Employees are told that answers are anonymous: a cell that is too small shows nothing, not even
-- how many answered, and there is no total from which it could be worked out.
department_pulses as (
    select
        cast(pulses_counted.department as {{ text }}) as department,
        cast(pulses_counted.question_id as {{ text }}) as question_id,
        cast('month' as {{ text }}) as grain,
        cast(
            case
                when pulses_counted.answer_count >= {{ at_least }}
                    then pulses_counted.answer_count
            end as bigint
        ) as answer_count,
        case
            when pulses_counted.answer_count >= {{ at_least }}
                then
                    round(
                        pulses_counted.score_sum / nullif(pulses_counted.answer_count, 0), 2
                    )
        end as average_score,
        pulses_counted.answer_count < {{ at_least }} as is_suppressed,
        pulses_counted.period_start,
    from pulses_counted
)

select * from department_pulses
