-- one row per customer, attribute and source that says other than the golden record
{{ config(
    materialized='incremental',
    incremental_strategy='touched_customers',
    tags=['customer_grain'],
    on_schema_change='fail',
) }}

with

values_in_conflict as (
    select * from {{ ref('int_customer_attributes') }}
    where
        attribute_value <> surviving_value
        and {{ touched_customers_filter('customer_id') }}
),

attribute_conflicts as (
    select
        values_in_conflict.customer_id,
        values_in_conflict.attribute,
        values_in_conflict.source,
        values_in_conflict.surviving_source,
        -- a direct identifier is never published
        case
            when not values_in_conflict.is_personal
                then max_by(
                    values_in_conflict.attribute_value,
                    {{ time_order_key(
                        'values_in_conflict.version_at', 'values_in_conflict.record_key'
                    ) }}
                )
        end as attribute_value,
        case
            when not values_in_conflict.is_personal
                then max(values_in_conflict.surviving_value)
        end as surviving_value,
        values_in_conflict.survivorship_rule,
        cast(count(*) as integer) as record_count,
        values_in_conflict.is_personal,
        max(values_in_conflict.version_at) as version_at,
    from values_in_conflict
    group by
        values_in_conflict.customer_id,
        values_in_conflict.attribute,
        values_in_conflict.source,
        values_in_conflict.surviving_source,
        values_in_conflict.survivorship_rule,
        values_in_conflict.is_personal
)

select * from attribute_conflicts
