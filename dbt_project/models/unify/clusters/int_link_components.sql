-- one row per record that has ever been linked, with the smallest record of its component
{{ config(materialized='connected_components') }}

with

match_links as (
    select left_record_key, right_record_key from {{ ref('int_match_links') }}
),

links as (
    select distinct left_record_key, right_record_key from match_links
)

select * from links
