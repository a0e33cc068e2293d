-- one row per match rule, value and pair of records that share it
{{ config(
    materialized='incremental',
    incremental_strategy='touched_rows',
    touched=[{'model': 'int_touched_values', 'keys': ['rule', 'match_value']}],
) }}
with

match_candidates as (
    select rule, match_value, record_key, guard, fan_out_cap, trust, arrival_rank, known_at
    from {{ ref('int_match_candidates') }} as candidates
    where
        record_count > 1
        and {{ touched_filter('candidates', 'int_touched_values', ['rule', 'match_value']) }}
),

match_values as (
    select rule, match_value, evidence, blocked_reason, capped_at
    from {{ ref('int_match_values') }}
),

record_names as (
    select record_key, first_name, last_name, known_at from {{ ref('int_record_names') }}
),

first_names as (
    select first_name, name_group from {{ ref('stg_config__identity_first_names') }}
),

same_first_names as (
    select distinct
        first_names.first_name as left_first_name,
        other_names.first_name as right_first_name,
    from first_names
    inner join first_names as other_names on first_names.name_group = other_names.name_group
),

-- a record above the cap arrived when the value had ceased to link: it makes no pair
pairs as (
    select
        match_candidates.rule,
        match_candidates.match_value,
        match_candidates.record_key as left_record_key,
        others.record_key as right_record_key,
        match_candidates.guard,
        match_candidates.trust,
        greatest(match_candidates.known_at, others.known_at) as known_at,
    from match_candidates
    inner join match_candidates as others
        on
            match_candidates.rule = others.rule
            and match_candidates.match_value = others.match_value
            and match_candidates.record_key < others.record_key
    where
        match_candidates.arrival_rank <= match_candidates.fan_out_cap
        and others.arrival_rank <= others.fan_out_cap
),

pairs_of_records as (
    select distinct left_record_key, right_record_key
    from pairs
    where guard in ('names_do_not_conflict', 'names_match')
),

names_compared as (
    select
        pairs_of_records.left_record_key,
        pairs_of_records.right_record_key,
        (
            same_first_names.left_first_name is not null
            or {{ first_names_match('left_names.first_name', 'right_names.first_name') }}
        ) as has_same_first_name,
        coalesce(
            {{ last_names_match('left_names.last_name', 'right_names.last_name') }}, false
        ) as has_same_last_name,
        greatest(left_names.known_at, right_names.known_at) as known_at,
    from pairs_of_records
    inner join record_names as left_names
        on pairs_of_records.left_record_key = left_names.record_key
    inner join record_names as right_names
        on pairs_of_records.right_record_key = right_names.record_key
    left join same_first_names
        on
            left_names.first_name = same_first_names.left_first_name
            and right_names.first_name = same_first_names.right_first_name
),

names_judged as (
    select
        names_compared.left_record_key,
        names_compared.right_record_key,
        min(names_compared.known_at) filter (
            where names_compared.has_same_first_name
        ) as first_names_match_at,
        min(names_compared.known_at) filter (
            where names_compared.has_same_first_name and names_compared.has_same_last_name
        ) as full_names_match_at,
        min(names_compared.known_at) filter (
            where not names_compared.has_same_first_name
        ) as first_names_conflict_at,
    from names_compared
    group by names_compared.left_record_key, names_compared.right_record_key
),

match_pairs as (
    select
        pairs.rule,
        pairs.match_value,
        pairs.left_record_key,
        pairs.right_record_key,
        match_values.evidence,
        pairs.guard,
        match_values.blocked_reason,
        pairs.trust,
        pairs.known_at,
        match_values.capped_at,
        names_judged.first_names_match_at,
        names_judged.full_names_match_at,
        -- two people share the value from then on, whichever pair showed it
        min(
            case
                when names_judged.first_names_conflict_at is not null
                    then greatest(pairs.known_at, names_judged.first_names_conflict_at)
            end
        ) over (partition by pairs.rule, pairs.match_value) as value_conflict_at,
    from pairs
    inner join match_values
        on
            pairs.rule = match_values.rule
            and pairs.match_value = match_values.match_value
    -- a rule that asks for no names says nothing of them, whatever else the two records share; said
    -- within an equality, since an engine may compare all with all for another condition's sake
    left join names_judged
        on
            pairs.right_record_key = names_judged.right_record_key
            and case
                when pairs.guard in ('names_do_not_conflict', 'names_match')
                    then pairs.left_record_key
            end = names_judged.left_record_key
)

select * from match_pairs
