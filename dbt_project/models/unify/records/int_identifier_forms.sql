-- one row per identifier as it was written, with the form in which it is compared
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
) }}
{%- set versions = [
    'int_crm_record_versions',
    'int_email_record_versions',
    'int_app_record_versions',
    'int_support_record_versions',
    'int_survey_record_versions',
] %}
with

identity_types as (
    select identifier_type, normaliser from {{ ref('stg_config__identity_types') }}
),

-- a value that is not here is normalised where it is met: this table only saves the work
known_forms as (
    {%- if is_incremental() %}
    select identifier_type, written_value from {{ this }}
    {%- else %}
    select
        cast(null as {{ dbt.type_string() }}) as identifier_type,
        cast(null as {{ dbt.type_string() }}) as written_value
    where false
    {%- endif %}
),

versions_stacked as (
    {%- for model in versions %}
    select email, additional_emails, phone, mobile_phone, load_number
    from {{ ref(model) }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

new_versions as (
    select * from versions_stacked
    where {{ newly_loaded('versions_stacked.load_number') }}
),

own_identifiers as (
    select identifier_type, written_value, load_number
    from {{ ref('int_own_identifier_versions') }}
    where {{ newly_loaded('load_number') }}
),

additional_emails_split as (
    select
        {{ split_to_rows('lower(new_versions.additional_emails)', ';') }} as written_value,
        new_versions.load_number,
    from new_versions
    where new_versions.additional_emails is not null
),

values_stacked as (
    select 'email' as identifier_type, email as written_value, load_number
    from new_versions
    union all
    select 'email', written_value, load_number from additional_emails_split
    union all
    select 'phone', phone, load_number from new_versions
    union all
    select 'phone', mobile_phone, load_number from new_versions
    union all
    select identifier_type, written_value, load_number from own_identifiers
),

new_values as (
    select
        values_stacked.identifier_type,
        values_stacked.written_value,
        max(values_stacked.load_number) as load_number,
    from values_stacked
    left join known_forms
        on
            values_stacked.identifier_type = known_forms.identifier_type
            and values_stacked.written_value = known_forms.written_value
    where
        values_stacked.written_value is not null
        and known_forms.written_value is null
    group by values_stacked.identifier_type, values_stacked.written_value
),

identifier_forms as (
    select
        new_values.identifier_type,
        new_values.written_value,
        {{ normalised_identifier(
            'identity_types.normaliser', 'new_values.written_value'
        ) }} as identifier_value,
        new_values.load_number,
    from new_values
    inner join identity_types on new_values.identifier_type = identity_types.identifier_type
)

select * from identifier_forms
