-- one row per pair of states of two records that share a block
{{ config(
    materialized='incremental',
    incremental_strategy='touched_rows',
    touched=[
        {'model': 'int_touched_comparisons', 'keys': ['left_record_key=record_key']},
        {'model': 'int_touched_comparisons', 'keys': ['right_record_key=record_key']},
    ],
) }}
{%- set swapped = fuzzy_numbers()['first and last name swapped'] %}
{%- set same_address = fuzzy_numbers()['same e-mail address'] %}
with

record_states as (
    select * from {{ ref('int_record_states') }}
),

blocks_compared as (
    select distinct block_value from {{ ref('int_match_blocks') }} as blocks
    where {{ touched_filter('blocks', 'int_touched_comparisons', ['record_key']) }}
),

match_blocks as (
    select block_value, record_key, capped_at from {{ ref('int_match_blocks') }}
    where
        record_count > 1
        and not is_above_cap
        and block_value in (select blocks_compared.block_value from blocks_compared)
),

pairs as (
    select
        match_blocks.record_key as left_record_key,
        others.record_key as right_record_key,
        case
            when count(*) = count(match_blocks.capped_at) then max(match_blocks.capped_at)
        end as capped_at,
    from match_blocks
    inner join match_blocks as others
        on
            match_blocks.block_value = others.block_value
            and match_blocks.record_key < others.record_key
    where
        {{ touched_filter('match_blocks', 'int_touched_comparisons', ['record_key']) }}
        or {{ touched_filter('others', 'int_touched_comparisons', ['record_key']) }}
    group by match_blocks.record_key, others.record_key
),

states_paired as (
    select
        pairs.left_record_key,
        pairs.right_record_key,
        left_states.state_id as left_state_id,
        right_states.state_id as right_state_id,
        left_states.first_name as left_first_name,
        left_states.last_name as left_last_name,
        {%- for comparison in fuzzy_comparisons() %}
        {{ fuzzy_level(comparison, 'left_states', 'right_states') }}
            as {{ comparison }}_level,
        {%- endfor %}
        greatest(left_states.known_at, right_states.known_at) as known_at,
        pairs.capped_at,
    from pairs
    inner join record_states as left_states
        on pairs.left_record_key = left_states.record_key
    inner join record_states as right_states
        on pairs.right_record_key = right_states.record_key
),

-- one likeness alone is nothing, however rare it is
pair_comparisons as (
    select states_paired.*
    from states_paired
    where
        {{ count_true([
            'states_paired.first_name_level > 0',
            'states_paired.last_name_level > 0 or states_paired.first_name_level = ' ~ swapped,
            'states_paired.birth_date_level > 0',
            'states_paired.street_level > 0',
            'states_paired.email_level = ' ~ same_address,
        ]) }} >= 2
)

select * from pair_comparisons
