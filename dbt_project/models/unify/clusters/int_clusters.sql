-- one row per record, with the smallest record of its cluster
{{ config(materialized='connected_components', kept_pairs=true) }}

with

cluster_pairs as (
    select * from {{ ref('int_cluster_pairs') }}
)

select * from cluster_pairs
