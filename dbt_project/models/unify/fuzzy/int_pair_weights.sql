-- one row per pair of states of two records, with the weight of what they have in common
{{ config(
    materialized='incremental',
    incremental_strategy='touched_rows',
    touched=[
        {'model': 'int_touched_comparisons', 'keys': ['left_record_key=record_key']},
        {'model': 'int_touched_comparisons', 'keys': ['right_record_key=record_key']},
    ],
) }}
{%- set terms = fuzzy_terms() %}
with

pair_comparisons as (
    select * from {{ ref('int_pair_comparisons') }} as comparisons
    where
        {{ touched_filter(
            'comparisons', 'int_touched_comparisons', ['left_record_key=record_key']
        ) }}
        or {{ touched_filter(
            'comparisons', 'int_touched_comparisons', ['right_record_key=record_key']
        ) }}
),

level_weights as (
    select comparison, level, weight from {{ ref('stg_config__identity_level_weights') }}
),

term_weights as (
    select comparison, term, weight from {{ ref('stg_config__identity_term_weights') }}
),

identity_settings as (
    select prior_weight, merge_weight, review_weight, is_first_name_needed
    from {{ ref('stg_config__identity_settings') }}
),

pairs_weighed as (
    select
        pair_comparisons.*,
        identity_settings.prior_weight
        {%- for comparison in fuzzy_comparisons() %}
        + coalesce({{ comparison }}_weights.weight, 0)
        {%- endfor %}
        {%- for comparison in terms %}
        + coalesce({{ comparison }}_terms.weight, 0)
        {%- endfor %} as match_weight,
        identity_settings.merge_weight,
        identity_settings.review_weight,
        identity_settings.is_first_name_needed,
    from pair_comparisons
    cross join identity_settings
    {%- for comparison in fuzzy_comparisons() %}
    left join level_weights as {{ comparison }}_weights
        on
            {{ comparison }}_weights.comparison = '{{ comparison }}'
            and pair_comparisons.{{ comparison }}_level = {{ comparison }}_weights.level
    {%- endfor %}
    {%- for comparison, level in terms.items() %}
    left join term_weights as {{ comparison }}_terms
        on
            {{ comparison }}_terms.comparison = '{{ comparison }}'
            and case
                when pair_comparisons.{{ comparison }}_level = {{ level }}
                    then pair_comparisons.left_{{ comparison }}
            end = {{ comparison }}_terms.term
    {%- endfor %}
),

pair_weights as (
    select
        pairs_weighed.left_record_key,
        pairs_weighed.right_record_key,
        pairs_weighed.left_state_id,
        pairs_weighed.right_state_id,
        cast(pairs_weighed.match_weight as integer) as match_weight,
        -- twins share everything but the first name: people decide on those
        pairs_weighed.match_weight >= pairs_weighed.merge_weight
        and not (
            pairs_weighed.is_first_name_needed
            and pairs_weighed.first_name_level = {{ fuzzy_numbers()['other first name'] }}
        ) as is_above_merge,
        pairs_weighed.known_at,
        pairs_weighed.capped_at,
    from pairs_weighed
    where pairs_weighed.match_weight >= pairs_weighed.review_weight
)

select * from pair_weights
