-- one row per condition of an audience and customer for whom it holds at the as-of
{{ config(materialized='view' if target.type != 'spark' else 'table') }}

with

journey_matches as (
    select * from {{ ref('int_journey_matches') }}
),

silence_matches as (
    select * from {{ ref('int_silence_matches') }}
),

occurrence_matches as (
    select * from {{ ref('int_occurrence_matches') }}
),

attribute_matches as (
    select * from {{ ref('int_attribute_matches') }}
),

matches_stacked as (
    select * from journey_matches
    union all
    select * from silence_matches
    union all
    select * from occurrence_matches
    union all
    select * from attribute_matches
)

select * from matches_stacked
