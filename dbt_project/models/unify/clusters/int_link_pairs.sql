-- one row per pair of records that a link of any time joins, or has joined and is no more
{{ config(materialized='incremental', incremental_strategy='kept_pairs') }}

with

match_links as (
    select left_record_key, right_record_key from {{ ref('int_match_links') }}
),

pairs_linked as (
    select distinct left_record_key, right_record_key from match_links
),

link_pairs as (
    select
        left_record_key,
        right_record_key,
        {{ kept_pair_columns() }}
    from pairs_linked
)

select * from link_pairs
