-- one row per match rule, pair of records, evidence and time for which it links them
with

match_pairs as (
    select * from {{ ref('int_match_pairs') }}
    where blocked_reason is null
),

vendor_merges as (
    select left_record_key, right_record_key, known_at from {{ ref('int_vendor_merges') }}
),

-- what the value alone says, until the names on it show two people
links_by_value as (
    select
        left_record_key,
        right_record_key,
        rule,
        match_value,
        known_at,
        case
            when guard = 'names_do_not_conflict'
                then least(
                    coalesce(capped_at, value_conflict_at),
                    coalesce(value_conflict_at, capped_at)
                )
            else capped_at
        end as dead_at,
    from match_pairs
    where guard in ('none', 'names_equal', 'names_do_not_conflict')
),

-- what the value says together with names that match, whoever else bears the value
links_by_name as (
    select
        left_record_key,
        right_record_key,
        rule,
        match_value,
        greatest(known_at, first_names_match_at) as known_at,
        capped_at as dead_at,
    from match_pairs
    where
        guard = 'names_do_not_conflict'
        and first_names_match_at is not null
        and value_conflict_at is not null
    union all
    select
        left_record_key,
        right_record_key,
        rule,
        match_value,
        greatest(known_at, full_names_match_at) as known_at,
        capped_at as dead_at,
    from match_pairs
    where
        guard = 'names_match'
        and full_names_match_at is not null
),

links_by_vendor as (
    select
        left_record_key,
        right_record_key,
        'vendor_merge' as rule,
        left_record_key || '|' || right_record_key as match_value,
        known_at,
        cast(null as timestamp) as dead_at,
    from vendor_merges
),

links as (
    select * from links_by_value
    union all
    select * from links_by_name
    union all
    select * from links_by_vendor
),

match_edges as (
    select
        links.left_record_key,
        links.right_record_key,
        links.rule,
        {{ pseudonym('links.match_value') }} as evidence,
        links.known_at,
        case
            when count(*) = count(links.dead_at) then max(links.dead_at)
        end as dead_at,
    from links
    where
        links.dead_at is null
        or links.known_at < links.dead_at
    group by
        links.left_record_key,
        links.right_record_key,
        links.rule,
        links.match_value,
        links.known_at
)

select * from match_edges
