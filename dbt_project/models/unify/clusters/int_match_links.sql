-- one row per rule, pair of records, evidence and time for which the rule would link them
-- depends_on: {{ ref('int_touched_links') }}
{{ config(
    materialized='incremental',
    incremental_strategy='touched_rows',
    touched=[
        {'model': 'int_touched_links', 'keys': ['rule', 'evidence']},
        {
            'model': 'int_touched_comparisons',
            'keys': ['left_record_key=record_key'],
            'among': "rule = 'probabilistic'",
        },
        {
            'model': 'int_touched_comparisons',
            'keys': ['right_record_key=record_key'],
            'among': "rule = 'probabilistic'",
        },
    ],
    retaken="rule in ('vendor_merge', 'must_link')",
) }}
{%- set decided_strength = 2000000000 %}
{%- set exact_strength = 1000000000 %}
{%- set never = "cast('9999-12-31' as timestamp)" %}
with

match_pairs as (
    select * from {{ ref('int_match_pairs') }} as pairs
    where
        blocked_reason is null
        and {{ touched_filter('pairs', 'int_touched_values', ['rule', 'match_value']) }}
),

vendor_merges as (
    select left_record_key, right_record_key, known_at from {{ ref('int_vendor_merges') }}
),

pair_weights as (
    select * from {{ ref('int_pair_weights') }} as weights
    where
        is_above_merge
        and (
            {{ touched_filter(
                'weights', 'int_touched_comparisons', ['left_record_key=record_key']
            ) }}
            or {{ touched_filter(
                'weights', 'int_touched_comparisons', ['right_record_key=record_key']
            ) }}
        )
),

decisions as (
    select decision_id, left_record_key, right_record_key, known_at
    from {{ ref('int_identity_decisions') }}
    where decision = 'must_link'
),

staff_records as (
    select record_key, staff_known_at from {{ ref('int_records_delivered') }}
    where staff_known_at is not null
),

identity_rules as (
    select rule, trust from {{ ref('stg_config__identity_rules') }}
),

-- what the value alone says, until the names on it show two people
links_by_value as (
    select
        left_record_key,
        right_record_key,
        rule,
        evidence,
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
        evidence,
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
        evidence,
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
        {{ pseudonym("left_record_key || '|' || right_record_key") }} as evidence,
        known_at,
        cast(null as timestamp) as dead_at,
    from vendor_merges
),

exact_links as (
    select * from links_by_value
    union all
    select * from links_by_name
    union all
    select * from links_by_vendor
),

links_stacked as (
    select
        exact_links.left_record_key,
        exact_links.right_record_key,
        exact_links.rule,
        exact_links.evidence,
        {{ exact_strength }} - coalesce(identity_rules.trust, 0) as strength,
        exact_links.known_at,
        exact_links.dead_at,
    from exact_links
    left join identity_rules on exact_links.rule = identity_rules.rule
    union all
    select
        pair_weights.left_record_key,
        pair_weights.right_record_key,
        'probabilistic',
        {{ stable_hash(['pair_weights.left_state_id', 'pair_weights.right_state_id']) }},
        pair_weights.match_weight,
        pair_weights.known_at,
        pair_weights.capped_at,
    from pair_weights
    union all
    select
        decisions.left_record_key,
        decisions.right_record_key,
        'must_link',
        decisions.decision_id,
        {{ decided_strength }},
        decisions.known_at,
        cast(null as timestamp),
    from decisions
),

-- whoever is known to be staff is linked to nobody from then on
links_dated as (
    select
        links_stacked.left_record_key,
        links_stacked.right_record_key,
        links_stacked.rule,
        links_stacked.evidence,
        links_stacked.strength,
        links_stacked.known_at,
        nullif(
            least(
                coalesce(links_stacked.dead_at, {{ never }}),
                coalesce(left_staff.staff_known_at, {{ never }}),
                coalesce(right_staff.staff_known_at, {{ never }})
            ),
            {{ never }}
        ) as dead_at,
    from links_stacked
    left join staff_records as left_staff
        on links_stacked.left_record_key = left_staff.record_key
    left join staff_records as right_staff
        on links_stacked.right_record_key = right_staff.record_key
),

match_links as (
    select
        {{ stable_hash([
            'links_dated.left_record_key', 'links_dated.right_record_key',
            'links_dated.rule', 'links_dated.evidence', 'links_dated.known_at',
        ]) }} as link_id,
        links_dated.left_record_key,
        links_dated.right_record_key,
        links_dated.rule,
        links_dated.evidence,
        cast(links_dated.strength as integer) as strength,
        links_dated.known_at,
        case
            when count(*) = count(links_dated.dead_at) then max(links_dated.dead_at)
        end as dead_at,
    from links_dated
    where
        links_dated.dead_at is null
        or links_dated.known_at < links_dated.dead_at
    group by
        links_dated.left_record_key,
        links_dated.right_record_key,
        links_dated.rule,
        links_dated.evidence,
        links_dated.strength,
        links_dated.known_at
)

select * from match_links
