-- one row per link of a contested component and instant, with the limit that refuses it
-- depends_on: {{ ref('int_world_values') }}
{{ config(materialized='guarded_links', limited_values='int_world_values') }}

with

contested_worlds as (
    select world_id, component_key, instant from {{ ref('int_contested_worlds') }}
),

link_components as (
    select record_key, cluster_key from {{ ref('int_link_components') }}
),

match_links as (
    select * from {{ ref('int_match_links') }}
),

identity_settings as (
    select certain_weight from {{ ref('stg_config__identity_settings') }}
),

world_links as (
    select
        contested_worlds.world_id,
        match_links.link_id,
        match_links.left_record_key,
        match_links.right_record_key,
        -- a guess that is as good as certain has weighed the contradiction already
        case
            when match_links.rule = 'must_link' then 'decided'
            when
                match_links.rule = 'probabilistic'
                and match_links.strength < identity_settings.certain_weight
                then 'probabilistic'
            else 'exact'
        end as link_kind,
        cast(
            row_number() over (
                partition by contested_worlds.world_id
                order by
                    match_links.strength desc nulls last,
                    match_links.left_record_key nulls last,
                    match_links.right_record_key nulls last,
                    match_links.rule nulls last,
                    match_links.evidence nulls last,
                    match_links.known_at nulls last
            )
            as integer
        ) as strength_rank,
    from contested_worlds
    cross join identity_settings
    inner join link_components
        on contested_worlds.component_key = link_components.cluster_key
    inner join match_links
        on
            link_components.record_key = match_links.left_record_key
            and contested_worlds.instant >= match_links.known_at
    where
        match_links.dead_at is null
        or match_links.dead_at > contested_worlds.instant
)

select * from world_links
