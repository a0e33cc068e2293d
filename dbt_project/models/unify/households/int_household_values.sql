-- one row per household rule, shared value and customer who bears it now
with

record_versions as (
    select
        record_key, first_name, last_name, phone, country, postal_code, version_at, version_hash,
    from {{ ref('int_record_versions') }}
),

customer_records as (
    select record_key, customer_id from {{ ref('stg_identity__customer_records') }}
    where customer_id is not null
),

household_rules as (
    select rule, trust, uses_phone, uses_last_name, uses_postal_code, uses_country
    from {{ ref('stg_config__household_rules') }}
),

blocked_values as (
    select identifier_type, pattern from {{ ref('stg_config__identity_blocked_values') }}
),

phones as (
    select distinct
        'phone' as identifier_type,
        phone,
    from record_versions
    where phone is not null
),

blocked_phones as (
    select distinct phones.phone
    from phones
    inner join blocked_values
        on
            phones.identifier_type = blocked_values.identifier_type
            and {{ regexp_found('phones.phone', 'blocked_values.pattern') }}
),

versions_cleaned as (
    select
        record_versions.record_key,
        record_versions.first_name,
        record_versions.last_name,
        case when blocked_phones.phone is null then record_versions.phone end as phone,
        record_versions.country,
        record_versions.postal_code,
        record_versions.version_at,
        {{ time_order_key('record_versions.version_at', 'record_versions.version_hash') }}
            as version_order,
    from record_versions
    left join blocked_phones on record_versions.phone = blocked_phones.phone
),

versions_valued as (
    select
        versions_cleaned.record_key,
        versions_cleaned.first_name,
        versions_cleaned.version_at,
        versions_cleaned.version_order,
        household_rules.rule,
        household_rules.trust,
        case
            when
                (not household_rules.uses_phone or versions_cleaned.phone is not null)
                and (not household_rules.uses_last_name or versions_cleaned.last_name is not null)
                and (
                    not household_rules.uses_postal_code
                    or versions_cleaned.postal_code is not null
                )
                and (not household_rules.uses_country or versions_cleaned.country is not null)
                then
                    case when household_rules.uses_phone then versions_cleaned.phone else '' end
                    || '|'
                    || case
                        when household_rules.uses_last_name then versions_cleaned.last_name
                        else ''
                    end
                    || '|'
                    || case
                        when household_rules.uses_postal_code then versions_cleaned.postal_code
                        else ''
                    end
                    || '|'
                    || case
                        when household_rules.uses_country then versions_cleaned.country else ''
                    end
        end as shared_value,
    from versions_cleaned
    cross join household_rules
),

-- what a record says now is the latest that it has said
records_valued as (
    select
        versions_valued.record_key,
        versions_valued.rule,
        versions_valued.trust,
        {{ latest_known('versions_valued.first_name', 'versions_valued.version_order') }}
            as first_name,
        {{ latest_known('versions_valued.shared_value', 'versions_valued.version_order') }}
            as shared_value,
    from versions_valued
    group by versions_valued.record_key, versions_valued.rule, versions_valued.trust
),

household_values as (
    select
        records_valued.rule,
        records_valued.trust,
        records_valued.shared_value,
        customer_records.customer_id,
        records_valued.first_name,
        min(versions_valued.version_at) as valid_from,
    from records_valued
    inner join customer_records on records_valued.record_key = customer_records.record_key
    inner join versions_valued
        on
            records_valued.record_key = versions_valued.record_key
            and records_valued.rule = versions_valued.rule
            and records_valued.shared_value = versions_valued.shared_value
    where records_valued.first_name is not null
    group by
        records_valued.rule,
        records_valued.trust,
        records_valued.shared_value,
        customer_records.customer_id,
        records_valued.first_name
)

select * from household_values
