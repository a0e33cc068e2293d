-- one row per match rule, record and combination of values that one of its versions bore
{{ config(
    materialized='incremental',
    incremental_strategy='touched_rows',
    touched=[{'model': 'int_touched_records', 'keys': ['record_key']}],
) }}
{%- set attributes = [
    'first_name', 'last_name', 'birth_date', 'street', 'house_number', 'postal_code', 'city',
    'country',
] %}
with

record_versions as (
    select
        record_key,
        first_name,
        last_name,
        cast(birth_date as {{ dbt.type_string() }}) as birth_date,
        street,
        house_number,
        postal_code,
        city,
        country,
        received_at,
    from {{ ref('int_record_versions') }} as versions
    where
        first_name is not null
        and {{ touched_filter('versions', 'int_touched_records', ['record_key']) }}
),

identity_combinations as (
    select * from {{ ref('stg_config__identity_combinations') }}
),

-- null where a version does not say all that the rule compares
versions_combined as (
    select
        identity_combinations.rule,
        record_versions.record_key,
        {%- for attribute in attributes %}
        {% if not loop.first %}|| '|' || {% endif -%}
        case
            when identity_combinations.uses_{{ attribute }} then record_versions.{{ attribute }}
            else ''
        end
        {%- endfor %} as match_value,
        record_versions.received_at,
    from record_versions
    cross join identity_combinations
),

record_combinations as (
    select
        versions_combined.rule,
        versions_combined.record_key,
        versions_combined.match_value,
        min(versions_combined.received_at) as known_at,
    from versions_combined
    where versions_combined.match_value is not null
    group by
        versions_combined.rule,
        versions_combined.record_key,
        versions_combined.match_value
)

select * from record_combinations
