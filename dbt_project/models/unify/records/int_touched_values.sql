-- one row per match rule and value that a touched record bears
with

touched_records as (
    select record_key from {{ ref('int_touched_records') }}
),

record_match_values as (
    select rule, match_value, record_key from {{ ref('int_record_match_values') }}
),

touched_values as (
    select distinct record_match_values.rule, record_match_values.match_value
    from record_match_values
    inner join touched_records
        on record_match_values.record_key = touched_records.record_key
)

select * from touched_values
