-- one row per customer, attribute and record that says a value, the survivor marked
{{ config(
    materialized='incremental',
    incremental_strategy='touched_customers',
    tags=['customer_grain'],
    on_schema_change='fail',
) }}
{%- set attributes = [
    'first_name', 'last_name', 'email', 'phone', 'country', 'language', 'plan', 'job_title',
    'job_role', 'industry', 'lifecycle_stage',
] %}
{%- set personal = ['first_name', 'last_name', 'email', 'phone'] %}
with

record_customers as (
    select * from {{ ref('int_record_customers') }}
    where {{ touched_customers_filter('customer_id') }}
),

survivorship as (
    select attribute, survivorship_rule from {{ ref('stg_config__identity_survivorship') }}
),

source_priorities as (
    select attribute, source, priority from {{ ref('stg_config__identity_source_priorities') }}
),

values_stacked as (
    {%- for attribute in attributes %}
    select
        customer_id, record_key, source, version_order, version_at,
        '{{ attribute }}' as attribute,
        {{ attribute }} as attribute_value,
        {{ 'true' if attribute in personal else 'false' }} as is_personal,
        user_id is not null as is_verified,
    from record_customers
    where {{ attribute }} is not null
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

values_counted as (
    select
        values_stacked.*,
        coalesce(survivorship.survivorship_rule, 'most_recent') as survivorship_rule,
        source_priorities.priority,
        count(*) over (
            partition by
                values_stacked.customer_id,
                values_stacked.attribute,
                values_stacked.attribute_value
        ) as bearer_count,
    from values_stacked
    left join survivorship on values_stacked.attribute = survivorship.attribute
    left join source_priorities
        on
            values_stacked.attribute = source_priorities.attribute
            and values_stacked.source = source_priorities.source
),

values_scored as (
    select
        values_counted.*,
        case values_counted.survivorship_rule
            when 'source_priority' then -coalesce(values_counted.priority, 1000)
            when 'most_frequent' then values_counted.bearer_count
            when 'longest' then length(values_counted.attribute_value)
            when 'verified_first'
                then case when values_counted.is_verified then 1 else 0 end
            else 0
        end as score,
    from values_counted
),

-- the rule decides; among equals the newest version does
values_ranked as (
    select
        values_scored.*,
        row_number() over (
            partition by values_scored.customer_id, values_scored.attribute
            order by
                values_scored.score desc nulls last,
                values_scored.version_order desc nulls last
        ) as survivor_rank,
        first_value(values_scored.attribute_value) over (
            partition by values_scored.customer_id, values_scored.attribute
            order by
                values_scored.score desc nulls last,
                values_scored.version_order desc nulls last
        ) as surviving_value,
        first_value(values_scored.source) over (
            partition by values_scored.customer_id, values_scored.attribute
            order by
                values_scored.score desc nulls last,
                values_scored.version_order desc nulls last
        ) as surviving_source,
    from values_scored
),

customer_attributes as (
    select
        values_ranked.customer_id,
        values_ranked.attribute,
        values_ranked.record_key,
        values_ranked.source,
        values_ranked.attribute_value,
        values_ranked.surviving_value,
        values_ranked.surviving_source,
        values_ranked.survivorship_rule,
        values_ranked.is_personal,
        values_ranked.survivor_rank = 1 as is_survivor,
        values_ranked.version_at,
    from values_ranked
)

select * from customer_attributes
