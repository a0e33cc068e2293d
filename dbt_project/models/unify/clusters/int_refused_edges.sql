-- one row per match rule, pair of records and evidence that does not link them
with

match_pairs as (
    select * from {{ ref('int_match_pairs') }}
),

match_links as (
    select * from {{ ref('int_match_links') }}
),

contested_worlds as (
    select world_id, instant from {{ ref('int_contested_worlds') }}
    where next_instant is null
),

link_verdicts as (
    select world_id, link_id, refused_by from {{ ref('int_link_verdicts') }}
    where refused_by is not null
),

pairs_judged as (
    select
        match_pairs.left_record_key,
        match_pairs.right_record_key,
        match_pairs.rule,
        match_pairs.evidence,
        case
            when match_pairs.blocked_reason is not null
                then 'blocked: ' || match_pairs.blocked_reason
            when match_pairs.capped_at is not null then 'shared by too many records'
            when
                match_pairs.guard = 'names_do_not_conflict'
                and match_pairs.value_conflict_at is not null
                and match_pairs.first_names_match_at is null
                then 'the names on the value conflict'
            when
                match_pairs.guard = 'names_match'
                and match_pairs.full_names_match_at is null
                then 'the names do not match'
        end as reason,
        match_pairs.known_at,
    from match_pairs
),

refused_edges as (
    select
        pairs_judged.left_record_key,
        pairs_judged.right_record_key,
        pairs_judged.rule,
        pairs_judged.reason,
        pairs_judged.evidence,
        pairs_judged.known_at,
    from pairs_judged
    where pairs_judged.reason is not null
    union all
    select
        match_links.left_record_key,
        match_links.right_record_key,
        match_links.rule,
        'would break the limit ' || link_verdicts.refused_by,
        match_links.evidence,
        max(contested_worlds.instant),
    from link_verdicts
    inner join contested_worlds on link_verdicts.world_id = contested_worlds.world_id
    inner join match_links on link_verdicts.link_id = match_links.link_id
    group by
        match_links.left_record_key,
        match_links.right_record_key,
        match_links.rule,
        match_links.evidence,
        link_verdicts.refused_by
)

select * from refused_edges
