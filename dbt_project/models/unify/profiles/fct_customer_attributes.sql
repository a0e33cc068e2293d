-- one row per customer and attribute of the golden record
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

values_counted as (
    select
        customer_attributes.customer_id,
        customer_attributes.attribute,
        count(distinct customer_attributes.attribute_value) as value_count,
        count(*) as record_count,
    from customer_attributes
    group by customer_attributes.customer_id, customer_attributes.attribute
),

-- a direct identifier is never published: who says it, by which rule and since when is
attributes_survived as (
    select
        customer_attributes.customer_id,
        customer_attributes.attribute,
        case
            when not customer_attributes.is_personal then customer_attributes.attribute_value
        end as attribute_value,
        customer_attributes.source,
        customer_attributes.survivorship_rule,
        cast(values_counted.value_count as integer) as value_count,
        cast(values_counted.record_count as integer) as record_count,
        customer_attributes.is_personal,
        customer_attributes.version_at,
    from customer_attributes
    inner join values_counted
        on
            customer_attributes.customer_id = values_counted.customer_id
            and customer_attributes.attribute = values_counted.attribute
    where customer_attributes.is_survivor
)

select * from attributes_survived
