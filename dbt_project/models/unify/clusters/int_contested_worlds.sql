-- one row per contested component and instant at which its links or limited values changed
with

contested_limits as (
    select component_key, cluster_limit from {{ ref('int_contested_limits') }}
),

link_components as (
    select record_key, cluster_key from {{ ref('int_link_components') }}
),

match_links as (
    select left_record_key, known_at, dead_at from {{ ref('int_match_links') }}
),

limited_values as (
    select record_key, cluster_limit, known_at, dead_at from {{ ref('int_limited_values') }}
),

contested_components as (
    select distinct component_key from contested_limits
),

links_contested as (
    select
        contested_components.component_key,
        match_links.known_at,
        match_links.dead_at,
    from match_links
    inner join link_components on match_links.left_record_key = link_components.record_key
    inner join contested_components
        on link_components.cluster_key = contested_components.component_key
),

values_contested as (
    select
        contested_limits.component_key,
        limited_values.known_at,
        limited_values.dead_at,
    from limited_values
    inner join link_components on limited_values.record_key = link_components.record_key
    inner join contested_limits
        on
            link_components.cluster_key = contested_limits.component_key
            and limited_values.cluster_limit = contested_limits.cluster_limit
),

instants as (
    select component_key, known_at as instant from links_contested
    union
    select component_key, dead_at from links_contested
    where dead_at is not null
    union
    select component_key, known_at from values_contested
    union
    select component_key, dead_at from values_contested
    where dead_at is not null
),

contested_worlds as (
    select
        instants.component_key || '|'
        || cast({{ epoch_milliseconds('instants.instant') }} as {{ dbt.type_string() }})
            as world_id,
        instants.component_key,
        cast(
            row_number() over (
                partition by instants.component_key order by instants.instant nulls last
            )
            as integer
        ) as world_number,
        instants.instant,
        lead(instants.instant) over (
            partition by instants.component_key order by instants.instant nulls last
        ) as next_instant,
    from instants
)

select * from contested_worlds
