-- one row per match rule and pseudonym of a value that a touched record shares with another
{{ config(materialized='table' if target.type == 'spark' else 'view') }}

with

touched_values as (
    select rule, match_value from {{ ref('int_touched_values') }}
),

match_values as (
    select rule, match_value, evidence from {{ ref('int_match_values') }}
),

touched_links as (
    select match_values.rule, match_values.evidence
    from match_values
    inner join touched_values
        on
            match_values.rule = touched_values.rule
            and match_values.match_value = touched_values.match_value
)

select * from touched_links
