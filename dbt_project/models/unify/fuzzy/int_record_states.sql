-- one row per record and set of compared values that one of its versions bore
{{ config(
    materialized='incremental',
    incremental_strategy='touched_rows',
    touched=[{'model': 'int_touched_records', 'keys': ['record_key']}],
) }}
with

record_versions as (
    select * from {{ ref('int_record_versions') }} as versions
    where {{ touched_filter('versions', 'int_touched_records', ['record_key']) }}
),

delivered_companies as (
    {{- stacked_crm_companies() }}
),

companies as (
    select
        {{ crm_key('source', 'company_id') }} as company_id,
        name,
        domain,
        received_at,
    from delivered_companies
),

blocked_values as (
    select identifier_type, pattern from {{ ref('stg_config__identity_blocked_values') }}
    where identifier_type in ('email', 'phone')
),

first_names as (
    select first_name, name_group from {{ ref('stg_config__identity_first_names') }}
),

name_groups as (
    select
        first_names.first_name,
        min(first_names.name_group) as name_group,
        max(first_names.name_group) as other_name_group,
    from first_names
    group by first_names.first_name
),

identifiers_stacked as (
    select 'email' as identifier_type, record_versions.email as identifier_value
    from record_versions
    union
    select 'phone' as identifier_type, record_versions.phone as identifier_value
    from record_versions
),

blocked_identifiers as (
    select distinct identifiers_stacked.identifier_type, identifiers_stacked.identifier_value
    from identifiers_stacked
    inner join blocked_values
        on
            identifiers_stacked.identifier_type = blocked_values.identifier_type
            and {{ regexp_found(
                'identifiers_stacked.identifier_value', 'blocked_values.pattern'
            ) }}
),

blocked_emails as (
    select identifier_value from blocked_identifiers
    where identifier_type = 'email'
),

blocked_phones as (
    select identifier_value from blocked_identifiers
    where identifier_type = 'phone'
),

companies_named as (
    select
        companies.company_id,
        {{ web_domain('companies.domain') }} as domain,
        {{ regexp_replace_all(folded_text('companies.name'), '[^a-z0-9]', '') }} as company_name,
        min(companies.received_at) as known_at,
    from companies
    where companies.name is not null
    group by all
),

versions_cleaned as (
    select
        record_versions.record_key,
        record_versions.source || '/' || record_versions.entity as source_entity,
        record_versions.company_id,
        record_versions.first_name,
        record_versions.last_name,
        case
            when blocked_emails.identifier_value is null then record_versions.email
        end as email,
        case
            when blocked_phones.identifier_value is null
                then coalesce(record_versions.phone, record_versions.mobile_phone)
        end as phone,
        coalesce(
            record_versions.country, {{ country_of_phone('record_versions.phone') }}
        ) as country,
        record_versions.city,
        record_versions.postal_code,
        record_versions.street,
        record_versions.house_number,
        record_versions.company_name,
        record_versions.birth_date,
        record_versions.registered_at,
        record_versions.received_at,
    from record_versions
    left join blocked_emails on record_versions.email = blocked_emails.identifier_value
    left join blocked_phones on record_versions.phone = blocked_phones.identifier_value
    -- whoever says less than two of these is compared with nobody
    where
        {{ count_true([
            'record_versions.first_name is not null',
            'record_versions.last_name is not null',
            'record_versions.birth_date is not null',
            'record_versions.street is not null',
        ]) }} >= 2
),

versions_merged as (
    select
        versions_cleaned.record_key,
        versions_cleaned.source_entity,
        versions_cleaned.company_id,
        versions_cleaned.first_name,
        versions_cleaned.last_name,
        versions_cleaned.email,
        versions_cleaned.phone,
        versions_cleaned.country,
        versions_cleaned.city,
        versions_cleaned.postal_code,
        versions_cleaned.street,
        versions_cleaned.house_number,
        versions_cleaned.company_name,
        versions_cleaned.birth_date,
        versions_cleaned.registered_at,
        min(versions_cleaned.received_at) as received_at,
    from versions_cleaned
    group by all
),

company_evidence as (
    select
        versions_merged.*,
        versions_merged.company_name as evident_company,
        versions_merged.received_at as known_at,
    from versions_merged
    where versions_merged.company_name is not null
    union all
    select
        versions_merged.*,
        companies_named.company_name as evident_company,
        greatest(versions_merged.received_at, companies_named.known_at) as known_at,
    from versions_merged
    inner join companies_named on versions_merged.company_id = companies_named.company_id
    union all
    select
        versions_merged.*,
        companies_named.company_name as evident_company,
        greatest(versions_merged.received_at, companies_named.known_at) as known_at,
    from versions_merged
    inner join companies_named
        on split_part(versions_merged.email, '@', 2) = companies_named.domain
),

versions_with_company as (
    select distinct
        company_evidence.record_key,
        company_evidence.company_id,
        company_evidence.email,
        company_evidence.company_name,
    from company_evidence
    where company_evidence.known_at <= company_evidence.received_at
),

-- until a company is known the version says nothing of one
versions_as_known as (
    select * from company_evidence
    union all
    select
        versions_merged.*,
        cast(null as {{ dbt.type_string() }}) as evident_company,
        versions_merged.received_at as known_at,
    from versions_merged
    left join versions_with_company
        on
            versions_merged.record_key = versions_with_company.record_key
            and coalesce(versions_merged.company_id, '')
            = coalesce(versions_with_company.company_id, '')
            and coalesce(versions_merged.email, '') = coalesce(versions_with_company.email, '')
            and coalesce(versions_merged.company_name, '')
            = coalesce(versions_with_company.company_name, '')
    where versions_with_company.record_key is null
),

states as (
    select
        versions_as_known.record_key,
        versions_as_known.source_entity,
        versions_as_known.first_name,
        versions_as_known.last_name,
        nullif(split_part(versions_as_known.email, '@', 1), '') as email_local,
        nullif(
            {{ regexp_replace_all("split_part(versions_as_known.email, '@', 1)", '[0-9]', '') }},
            ''
        ) as email_letters,
        nullif(split_part(versions_as_known.email, '@', 2), '') as email_domain,
        versions_as_known.phone,
        versions_as_known.country,
        versions_as_known.city,
        versions_as_known.postal_code,
        versions_as_known.street,
        versions_as_known.house_number,
        versions_as_known.evident_company as company_name,
        name_groups.name_group,
        name_groups.other_name_group,
        cast(
            floor({{ epoch_milliseconds('versions_as_known.registered_at') }} / 86400000.0)
            as integer
        ) as registered_day,
        cast(versions_as_known.birth_date as {{ dbt.type_string() }}) as birth_date,
        min(versions_as_known.known_at) as known_at,
    from versions_as_known
    left join name_groups on versions_as_known.first_name = name_groups.first_name
    group by all
),

record_states as (
    select
        {{ stable_hash([
            'states.record_key', 'states.first_name', 'states.last_name', 'states.email_local',
            'states.email_domain', 'states.phone', 'states.country', 'states.city',
            'states.postal_code', 'states.street', 'states.house_number',
            'states.company_name', 'states.registered_day', 'states.birth_date',
        ]) }} as state_id,
        states.*,
    from states
)

select * from record_states
