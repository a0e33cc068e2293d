-- one row per match rule, value it compares, and record that bears the value, ranked by arrival
{{ config(
    materialized='incremental',
    incremental_strategy='touched_rows',
    touched=[{'model': 'int_touched_values', 'keys': ['rule', 'match_value']}],
) }}
with

record_match_values as (
    select * from {{ ref('int_record_match_values') }} as match_values
    where {{ touched_filter('match_values', 'int_touched_values', ['rule', 'match_value']) }}
),

match_candidates as (
    select
        record_match_values.rule,
        record_match_values.match_value,
        record_match_values.record_key,
        record_match_values.identifier_type,
        record_match_values.guard,
        record_match_values.fan_out_cap,
        record_match_values.trust,
        count(*) over (
            partition by record_match_values.rule, record_match_values.match_value
        ) as record_count,
        row_number() over (
            partition by record_match_values.rule, record_match_values.match_value
            order by
                record_match_values.known_at nulls last,
                record_match_values.record_key nulls last
        ) as arrival_rank,
        record_match_values.known_at,
    from record_match_values
)

select * from match_candidates
