-- one row per record and identifier that any of its versions bore
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='record_key',
    on_schema_change='fail',
) }}
with

changed_records as (
    select record_key from {{ ref('int_record_versions') }}
    where {{ loaded_since_matched() }}
    union
    select record_key from {{ ref('int_own_identifier_versions') }}
    where {{ loaded_since_matched() }}
),

-- all versions of a record of which one is new
record_versions as (
    select
        record_key,
        user_id,
        email,
        additional_emails,
        phone,
        mobile_phone,
        version_at,
        received_at,
        load_number,
    from {{ ref('int_record_versions') }}
    where record_key in (select changed_records.record_key from changed_records)
),

own_identifiers as (
    select record_key, identifier_type, written_value, version_at, received_at, load_number
    from {{ ref('int_own_identifier_versions') }}
    where record_key in (select changed_records.record_key from changed_records)
),

identity_types as (
    select identifier_type, normaliser from {{ ref('stg_config__identity_types') }}
),

identifier_forms as (
    select identifier_type, written_value, identifier_value
    from {{ ref('int_identifier_forms') }}
    where identifier_value is not null
),

records as (
    select distinct record_key from record_versions
),

additional_emails_split as (
    select
        record_versions.record_key,
        {{ split_to_rows('record_versions.additional_emails', ';') }} as email,
        record_versions.version_at,
        record_versions.received_at,
        record_versions.load_number,
    from record_versions
    where record_versions.additional_emails is not null
),

identifiers_stacked as (
    select
        record_key,
        'user_id' as identifier_type,
        user_id as identifier_value,
        version_at,
        received_at,
        load_number,
    from record_versions
    union all
    select
        record_key, 'email', email, version_at, received_at, load_number,
    from record_versions
    union all
    select
        additional_emails_split.record_key,
        'email',
        coalesce(
            identifier_forms.identifier_value,
            {{ normalised_email('additional_emails_split.email') }}
        ),
        additional_emails_split.version_at,
        additional_emails_split.received_at,
        additional_emails_split.load_number,
    from additional_emails_split
    left join identifier_forms
        on
            identifier_forms.identifier_type = 'email'
            and additional_emails_split.email = identifier_forms.written_value
    union all
    select
        record_key, 'phone', phone, version_at, received_at, load_number,
    from record_versions
    union all
    select
        record_key, 'phone', mobile_phone, version_at, received_at, load_number,
    from record_versions
    union all
    select
        own_identifiers.record_key,
        own_identifiers.identifier_type,
        coalesce(
            identifier_forms.identifier_value,
            {{ normalised_identifier(
                'identity_types.normaliser', 'own_identifiers.written_value'
            ) }}
        ),
        own_identifiers.version_at,
        own_identifiers.received_at,
        own_identifiers.load_number,
    from own_identifiers
    inner join records on own_identifiers.record_key = records.record_key
    inner join identity_types
        on own_identifiers.identifier_type = identity_types.identifier_type
    left join identifier_forms
        on
            own_identifiers.identifier_type = identifier_forms.identifier_type
            and own_identifiers.written_value = identifier_forms.written_value
),

record_identifiers as (
    select
        identifiers_stacked.record_key,
        identifiers_stacked.identifier_type,
        identifiers_stacked.identifier_value,
        max(identifiers_stacked.load_number) as load_number,
        min(identifiers_stacked.version_at) as valid_from,
        min(identifiers_stacked.received_at) as known_at,
    from identifiers_stacked
    where identifiers_stacked.identifier_value is not null
    group by
        identifiers_stacked.record_key,
        identifiers_stacked.identifier_type,
        identifiers_stacked.identifier_value
)

select * from record_identifiers
