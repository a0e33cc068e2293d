-- one row per component and cluster limit that linking all of it would break
with

link_components as (
    select record_key, cluster_key from {{ ref('int_link_components') }}
),

limited_values as (
    select record_key, cluster_limit, limited_value, at_most from {{ ref('int_limited_values') }}
),

values_by_component as (
    select
        link_components.cluster_key as component_key,
        limited_values.cluster_limit,
        limited_values.at_most,
        count(distinct limited_values.limited_value) as value_count,
    from limited_values
    inner join link_components on limited_values.record_key = link_components.record_key
    group by
        link_components.cluster_key,
        limited_values.cluster_limit,
        limited_values.at_most
),

contested_limits as (
    select component_key, cluster_limit, value_count from values_by_component
    where value_count > at_most
)

select * from contested_limits
