-- one row per record and identifier that any of its versions bore
with

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
        record_key,
        'email',
        {{ normalised_email('additional_emails_split.email') }},
        version_at,
        received_at,
        load_number,
    from additional_emails_split
    union all
    select
        record_key, 'phone', phone, version_at, received_at, load_number,
    from record_versions
    union all
    select
        record_key, 'phone', mobile_phone, version_at, received_at, load_number,
    from record_versions
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
