-- one row per customer, attribute and source that says other than the golden record
{{ config(
    materialized='incremental',
    incremental_strategy='touched_customers',
    tags=['customer_grain'],
    on_schema_change='fail',
) }}

with

customer_attributes as (
    select * from {{ ref('int_customer_attributes') }}
    where {{ touched_customers_filter('customer_id') }}
),

survivors as (
    select customer_id, attribute, attribute_value, source from customer_attributes
    where is_survivor
),

values_beside_survivors as (
    select
        customer_attributes.customer_id,
        customer_attributes.attribute,
        customer_attributes.source,
        survivors.source as surviving_source,
        customer_attributes.survivorship_rule,
        case
            when not customer_attributes.is_personal then customer_attributes.attribute_value
        end as attribute_value,
        case
            when not customer_attributes.is_personal then survivors.attribute_value
        end as surviving_value,
        customer_attributes.is_personal,
        customer_attributes.record_key,
        customer_attributes.version_at,
    from customer_attributes
    inner join survivors
        on
            customer_attributes.customer_id = survivors.customer_id
            and customer_attributes.attribute = survivors.attribute
    where customer_attributes.attribute_value <> survivors.attribute_value
),

attribute_conflicts as (
    select
        values_beside_survivors.customer_id,
        values_beside_survivors.attribute,
        values_beside_survivors.source,
        values_beside_survivors.surviving_source,
        max_by(
            values_beside_survivors.attribute_value,
            {{ time_order_key(
                'values_beside_survivors.version_at', 'values_beside_survivors.record_key'
            ) }}
        ) as attribute_value,
        max(values_beside_survivors.surviving_value) as surviving_value,
        values_beside_survivors.survivorship_rule,
        cast(count(*) as integer) as record_count,
        values_beside_survivors.is_personal,
        max(values_beside_survivors.version_at) as version_at,
    from values_beside_survivors
    group by
        values_beside_survivors.customer_id,
        values_beside_survivors.attribute,
        values_beside_survivors.source,
        values_beside_survivors.surviving_source,
        values_beside_survivors.survivorship_rule,
        values_beside_survivors.is_personal
)

select * from attribute_conflicts
