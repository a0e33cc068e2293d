-- one row per match rule, pair of records, evidence and time for which it links them
with

match_links as (
    select * from {{ ref('int_match_links') }}
),

link_components as (
    select record_key, cluster_key from {{ ref('int_link_components') }}
),

contested_worlds as (
    select world_id, component_key, world_number, instant, next_instant
    from {{ ref('int_contested_worlds') }}
),

link_verdicts as (
    select world_id, link_id, refused_by from {{ ref('int_link_verdicts') }}
),

contested_components as (
    select distinct component_key from contested_worlds
),

uncontested_links as (
    select match_links.*
    from match_links
    inner join link_components on match_links.left_record_key = link_components.record_key
    left join contested_components
        on link_components.cluster_key = contested_components.component_key
    where contested_components.component_key is null
),

worlds_allowed as (
    select
        link_verdicts.link_id,
        contested_worlds.world_number,
        contested_worlds.instant,
        contested_worlds.next_instant,
        contested_worlds.world_number
        - row_number() over (
            partition by link_verdicts.link_id
            order by contested_worlds.world_number nulls last
        ) as stretch_number,
    from link_verdicts
    inner join contested_worlds on link_verdicts.world_id = contested_worlds.world_id
    where link_verdicts.refused_by is null
),

links_refused as (
    select
        link_verdicts.link_id,
        link_verdicts.refused_by,
        contested_worlds.world_number,
    from link_verdicts
    inner join contested_worlds on link_verdicts.world_id = contested_worlds.world_id
    where link_verdicts.refused_by is not null
),

-- instants in a row at which the link stands are one stretch of time
stretches as (
    select
        worlds_allowed.link_id,
        max(worlds_allowed.world_number) as last_world_number,
        min(worlds_allowed.instant) as known_at,
        case
            when count(*) = count(worlds_allowed.next_instant)
                then max(worlds_allowed.next_instant)
        end as dead_at,
    from worlds_allowed
    group by worlds_allowed.link_id, worlds_allowed.stretch_number
),

edges_stacked as (
    select
        left_record_key,
        right_record_key,
        rule,
        evidence,
        strength,
        cast(null as {{ dbt.type_string() }}) as ended_by,
        known_at,
        dead_at,
    from uncontested_links
    union all
    select
        match_links.left_record_key,
        match_links.right_record_key,
        match_links.rule,
        match_links.evidence,
        match_links.strength,
        links_refused.refused_by,
        stretches.known_at,
        stretches.dead_at,
    from stretches
    inner join match_links on stretches.link_id = match_links.link_id
    left join links_refused
        on
            stretches.link_id = links_refused.link_id
            and stretches.last_world_number + 1 = links_refused.world_number
),

match_edges as (
    select
        edges_stacked.left_record_key,
        edges_stacked.right_record_key,
        edges_stacked.rule,
        edges_stacked.evidence,
        edges_stacked.strength,
        max_by(edges_stacked.ended_by, edges_stacked.dead_at) as ended_by,
        edges_stacked.known_at,
        case
            when count(*) = count(edges_stacked.dead_at) then max(edges_stacked.dead_at)
        end as dead_at,
    from edges_stacked
    group by
        edges_stacked.left_record_key,
        edges_stacked.right_record_key,
        edges_stacked.rule,
        edges_stacked.evidence,
        edges_stacked.strength,
        edges_stacked.known_at
)

select * from match_edges
