-- one row per record, account and time at which the association began
with

record_versions as (
    select record_key, company_id, job_role, created_at, version_at, version_hash
    from {{ ref('int_record_versions') }}
    where entity in ('contacts', 'leads', 'persons')
),

records as (
    select record_key, email, load_number, created_at from {{ ref('int_records') }}
),

companies as (
    select company_id, account_id, domain, load_number, is_merged
    from {{ ref('int_companies_merged') }}
),

versions_beside_previous as (
    select
        record_versions.*,
        lag(record_versions.version_at) over (
            partition by record_versions.record_key
            order by
                record_versions.version_at nulls last,
                record_versions.version_hash nulls last
        ) as previous_version_at,
        lag(record_versions.company_id) over (
            partition by record_versions.record_key
            order by
                record_versions.version_at nulls last,
                record_versions.version_hash nulls last
        ) as previous_company_id,
    from record_versions
),

company_changes as (
    select
        versions_beside_previous.record_key,
        versions_beside_previous.company_id,
        versions_beside_previous.job_role,
        case
            when versions_beside_previous.previous_version_at is null
                then versions_beside_previous.created_at
            else versions_beside_previous.version_at
        end as valid_from,
        lead(versions_beside_previous.version_at) over (
            partition by versions_beside_previous.record_key
            order by
                versions_beside_previous.version_at nulls last,
                versions_beside_previous.version_hash nulls last
        ) as valid_to,
    from versions_beside_previous
    where
        versions_beside_previous.previous_version_at is null
        or coalesce(versions_beside_previous.company_id, '')
        <> coalesce(versions_beside_previous.previous_company_id, '')
),

-- a domain that two companies share says nothing
domains as (
    select
        companies.domain,
        min(companies.account_id) as account_id,
        max(companies.load_number) as load_number,
    from companies
    where companies.domain is not null
    group by companies.domain
    having count(distinct companies.account_id) = 1
),

accounts_by_record as (
    select
        company_changes.record_key,
        companies.account_id,
        'crm' as associated_by,
        company_changes.job_role as role,
        greatest(records.load_number, companies.load_number) as load_number,
        company_changes.valid_from,
        company_changes.valid_to,
    from company_changes
    inner join companies on company_changes.company_id = companies.company_id
    inner join records on company_changes.record_key = records.record_key
    union all
    select
        records.record_key,
        domains.account_id,
        'domain' as associated_by,
        cast(null as {{ dbt.type_string() }}) as role,
        greatest(records.load_number, domains.load_number) as load_number,
        records.created_at as valid_from,
        cast(null as timestamp) as valid_to,
    from records
    inner join domains on split_part(records.email, '@', 2) = domains.domain
),

record_accounts as (
    select
        accounts_by_record.record_key,
        accounts_by_record.account_id,
        accounts_by_record.associated_by,
        max(accounts_by_record.role) as role,
        max(accounts_by_record.load_number) as load_number,
        accounts_by_record.valid_from,
        case
            when count(*) = count(accounts_by_record.valid_to)
                then max(accounts_by_record.valid_to)
        end as valid_to,
    from accounts_by_record
    group by
        accounts_by_record.record_key,
        accounts_by_record.account_id,
        accounts_by_record.associated_by,
        accounts_by_record.valid_from
)

select * from record_accounts
