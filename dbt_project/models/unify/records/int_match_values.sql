-- one row per match rule and value that more than one record bears
{{ config(
    materialized='incremental',
    incremental_strategy='touched_rows',
    touched=[{'model': 'int_touched_values', 'keys': ['rule', 'match_value']}],
) }}
with

match_candidates as (
    select
        rule, match_value, identifier_type, record_count, fan_out_cap, arrival_rank, known_at,
    from {{ ref('int_match_candidates') }} as candidates
    where
        record_count > 1
        and {{ touched_filter('candidates', 'int_touched_values', ['rule', 'match_value']) }}
),

blocked_values as (
    select identifier_type, pattern, reason
    from {{ ref('stg_config__identity_blocked_values') }}
),

shared_values as (
    select
        match_candidates.rule,
        match_candidates.match_value,
        match_candidates.identifier_type,
        match_candidates.record_count,
        -- the value links nobody from the arrival of the first record above the cap
        min(match_candidates.known_at) filter (
            where match_candidates.arrival_rank > match_candidates.fan_out_cap
        ) as capped_at,
    from match_candidates
    group by
        match_candidates.rule,
        match_candidates.match_value,
        match_candidates.identifier_type,
        match_candidates.record_count
),

-- An inner join with an equality, so that each value meets the patterns of its type alone.
values_blocked as (
    select
        shared_values.rule,
        shared_values.match_value,
        min(blocked_values.reason) as blocked_reason,
    from shared_values
    inner join blocked_values
        on
            shared_values.identifier_type = blocked_values.identifier_type
            and {{ regexp_found('shared_values.match_value', 'blocked_values.pattern') }}
    group by
        shared_values.rule,
        shared_values.match_value
),

match_values as (
    select
        shared_values.rule,
        shared_values.match_value,
        {{ pseudonym('shared_values.match_value') }} as evidence,
        values_blocked.blocked_reason,
        shared_values.record_count,
        shared_values.capped_at,
    from shared_values
    left join values_blocked
        on
            shared_values.rule = values_blocked.rule
            and shared_values.match_value = values_blocked.match_value
)

select * from match_values
