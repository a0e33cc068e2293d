-- one row per record that has ever been linked, with the smallest record of its component
{{ config(materialized='connected_components', kept_pairs=true) }}

with

link_pairs as (
    select * from {{ ref('int_link_pairs') }}
)

select * from link_pairs
