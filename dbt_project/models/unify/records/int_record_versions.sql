-- one row per version of a record about a person
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='record_key',
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

changed_records as (
    {%- for model in versions %}
    select record_key from {{ ref(model) }}
    where {{ newly_loaded() }}
    {%- if not loop.last %}
    union
    {%- endif %}
    {%- endfor %}
),

identifier_forms as (
    select identifier_type, written_value, identifier_value
    from {{ ref('int_identifier_forms') }}
    where identifier_value is not null
),

-- all versions of a record of which one is new
versions_stacked as (
    {%- for model in versions %}
    select * from {{ ref(model) }}
    where record_key in (select changed_records.record_key from changed_records)
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

versions_normalised as (
    select
        versions_stacked.record_key,
        versions_stacked.source,
        versions_stacked.entity,
        versions_stacked.record_id,
        nullif(trim(versions_stacked.user_id), '') as user_id,
        versions_stacked.company_id,
        coalesce(
            email_forms.identifier_value, {{ normalised_email('versions_stacked.email') }}
        ) as email,
        lower(versions_stacked.additional_emails) as additional_emails,
        coalesce(
            phone_forms.identifier_value, {{ normalised_phone('versions_stacked.phone') }}
        ) as phone,
        coalesce(
            mobile_forms.identifier_value, {{ normalised_phone('versions_stacked.mobile_phone') }}
        ) as mobile_phone,
        versions_stacked.merged_record_ids,
        {{ normalised_name('versions_stacked.first_name') }} as first_name,
        {{ normalised_name('versions_stacked.last_name') }} as last_name,
        nullif(
            {{ regexp_replace_all(folded_text('versions_stacked.company_name'), '[^a-z0-9]', '') }},
            ''
        ) as company_name,
        versions_stacked.job_title,
        versions_stacked.job_role,
        versions_stacked.industry,
        versions_stacked.country,
        {{ normalised_name('versions_stacked.city') }} as city,
        nullif(
            {{ regexp_replace_all('upper(versions_stacked.postal_code)', '[^A-Z0-9]', '') }}, ''
        ) as postal_code,
        {{ normalised_street('versions_stacked.street') }} as street,
        {{ normalised_house_number('versions_stacked.house_number', 'versions_stacked.street') }}
            as house_number,
        versions_stacked.language,
        versions_stacked.lifecycle_stage,
        versions_stacked.plan,
        versions_stacked.subscription_status,
        versions_stacked.load_number,
        versions_stacked.is_staff_role,
        versions_stacked.is_archived,
        versions_stacked.birth_date,
        versions_stacked.registered_at,
        versions_stacked.created_at,
        versions_stacked.version_at,
        versions_stacked.received_at,
        versions_stacked.version_hash,
    from versions_stacked
    left join identifier_forms as email_forms
        on
            email_forms.identifier_type = 'email'
            and versions_stacked.email = email_forms.written_value
    left join identifier_forms as phone_forms
        on
            phone_forms.identifier_type = 'phone'
            and versions_stacked.phone = phone_forms.written_value
    left join identifier_forms as mobile_forms
        on
            mobile_forms.identifier_type = 'phone'
            and versions_stacked.mobile_phone = mobile_forms.written_value
)

select * from versions_normalised
