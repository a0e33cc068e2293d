-- one row per contested component, instant, cluster limit and record that bears a value then
with

contested_worlds as (
    select world_id, component_key, instant from {{ ref('int_contested_worlds') }}
),

contested_limits as (
    select component_key, cluster_limit from {{ ref('int_contested_limits') }}
),

link_components as (
    select record_key, cluster_key from {{ ref('int_link_components') }}
),

limited_values as (
    select * from {{ ref('int_limited_values') }}
),

world_values as (
    select
        contested_worlds.world_id,
        limited_values.record_key,
        limited_values.cluster_limit,
        limited_values.limited_value,
        limited_values.at_most,
        limited_values.refuses,
    from contested_limits
    inner join link_components
        on contested_limits.component_key = link_components.cluster_key
    inner join limited_values
        on
            link_components.record_key = limited_values.record_key
            and contested_limits.cluster_limit = limited_values.cluster_limit
    inner join contested_worlds
        on
            contested_limits.component_key = contested_worlds.component_key
            and limited_values.known_at <= contested_worlds.instant
    where
        limited_values.dead_at is null
        or limited_values.dead_at > contested_worlds.instant
)

select * from world_values
