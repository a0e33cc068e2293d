-- one row per record, with the smallest record of its cluster
{{ config(materialized='connected_components') }}

with

records as (
    select record_key from {{ ref('int_records') }}
),

match_edges as (
    select left_record_key, right_record_key, dead_at from {{ ref('int_match_edges') }}
),

edges as (
    select
        match_edges.left_record_key,
        match_edges.right_record_key,
    from match_edges
    where match_edges.dead_at is null
    union
    select
        records.record_key as left_record_key,
        records.record_key as right_record_key,
    from records
)

select * from edges
