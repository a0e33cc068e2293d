-- one row per pair of records that an edge links or has linked, and per record with itself
{{ config(materialized='incremental', incremental_strategy='kept_pairs') }}

with

records as (
    select record_key from {{ ref('int_records') }}
),

match_edges as (
    select left_record_key, right_record_key from {{ ref('int_match_edges') }}
    where dead_at is null
),

pairs_linked as (
    select distinct left_record_key, right_record_key from match_edges
    union all
    select record_key as left_record_key, record_key as right_record_key from records
),

cluster_pairs as (
    select
        left_record_key,
        right_record_key,
        {{ kept_pair_columns() }}
    from pairs_linked
)

select * from cluster_pairs
