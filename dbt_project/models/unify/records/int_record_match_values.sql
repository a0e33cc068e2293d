-- one row per match rule, value it compares, and record that bears the value
{{ config(
    materialized='incremental',
    incremental_strategy='touched_rows',
    touched=[{'model': 'int_touched_records', 'keys': ['record_key']}],
) }}
with

record_identifiers as (
    select record_key, identifier_type, identifier_value, known_at
    from {{ ref('int_record_identifiers') }} as identifiers
    where {{ touched_filter('identifiers', 'int_touched_records', ['record_key']) }}
),

record_names as (
    select record_key, first_name, last_name, known_at
    from {{ ref('int_record_names') }} as names
    where {{ touched_filter('names', 'int_touched_records', ['record_key']) }}
),

companies as (
    {{- stacked_crm_companies() }}
),

record_combinations as (
    select rule, record_key, match_value, known_at
    from {{ ref('int_record_combinations') }} as combinations
    where {{ touched_filter('combinations', 'int_touched_records', ['record_key']) }}
),

identity_rules as (
    select rule, identifier_type, guard, fan_out_cap, trust
    from {{ ref('stg_config__identity_rules') }}
    where is_enabled
),

company_domains as (
    select distinct {{ web_domain('companies.domain') }} as domain
    from companies
    where companies.domain is not null
),

-- a full name at a mail domain that the CRM knows as a company's
names_at_domains as (
    select
        record_identifiers.record_key,
        company_domains.domain
        || '|' || record_names.first_name
        || '|' || record_names.last_name as match_value,
        min(greatest(record_identifiers.known_at, record_names.known_at)) as known_at,
    from record_identifiers
    inner join company_domains
        on split_part(record_identifiers.identifier_value, '@', 2) = company_domains.domain
    inner join record_names
        on record_identifiers.record_key = record_names.record_key
    where
        record_identifiers.identifier_type = 'email'
        and record_names.last_name is not null
    group by all
),

values_stacked as (
    select
        identifier_type,
        record_key,
        identifier_value as match_value,
        known_at,
    from record_identifiers
    union all
    select
        'company_domain' as identifier_type,
        record_key,
        match_value,
        known_at,
    from names_at_domains
    union all
    select
        rule as identifier_type,
        record_key,
        match_value,
        known_at,
    from record_combinations
),

record_match_values as (
    select
        identity_rules.rule,
        values_stacked.match_value,
        values_stacked.record_key,
        values_stacked.identifier_type,
        identity_rules.guard,
        identity_rules.fan_out_cap,
        identity_rules.trust,
        values_stacked.known_at,
    from values_stacked
    inner join identity_rules
        on values_stacked.identifier_type = identity_rules.identifier_type
)

select * from record_match_values
