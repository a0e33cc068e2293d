-- one row per condition about the profile and customer for whom it holds
{%- set attributes = [
    'country', 'jurisdiction', 'language', 'plan', 'job_role', 'industry', 'lifecycle_stage',
] %}
with

conditions as (
    select audience, condition_number, attribute
    from {{ ref('stg_config__audience_conditions') }}
    where condition_kind = 'attribute'
),

condition_values as (
    select audience, condition_number, condition_value
    from {{ ref('stg_config__audience_condition_values') }}
),

customers as (
    select
        customer_id,
        {%- for attribute in attributes %}
        {{ attribute }},
        {%- endfor %}
        first_seen_at,
    from {{ ref('dim_customers') }}
),

attributes_stacked as (
    {%- for attribute in attributes %}
    select
        customers.customer_id,
        '{{ attribute }}' as attribute,
        customers.{{ attribute }} as attribute_value,
        customers.first_seen_at,
    from customers
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

matches as (
    select
        conditions.audience,
        cast(conditions.condition_number as integer) as condition_number,
        attributes_stacked.customer_id,
        attributes_stacked.first_seen_at as met_at,
    from conditions
    inner join condition_values
        on
            conditions.audience = condition_values.audience
            and conditions.condition_number = condition_values.condition_number
    inner join attributes_stacked
        on
            conditions.attribute = attributes_stacked.attribute
            and condition_values.condition_value = attributes_stacked.attribute_value
)

select * from matches
