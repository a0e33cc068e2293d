-- one row per company of the CRM, with the account it belongs to after vendor merges
with

delivered_companies as (
    {{- stacked_crm_companies() }}
),

companies as (
    select
        {{ crm_key('delivered_companies.source', 'delivered_companies.company_id') }}
            as company_key,
        delivered_companies.*,
    from delivered_companies
),

versions_ranked as (
    select
        companies.*,
        max(companies.load_number) over (
            partition by companies.company_key
        ) as newest_load_number,
        row_number() over (
            partition by companies.company_key
            order by companies.updated_at desc nulls last, companies.row_hash desc nulls last
        ) as version_rank,
    from companies
),

latest_companies as (
    select
        versions_ranked.company_key as company_id,
        versions_ranked.source || '/' || versions_ranked.entity as source_entity,
        versions_ranked.source,
        versions_ranked.name,
        {{ web_domain('versions_ranked.domain') }} as domain,
        versions_ranked.industry,
        versions_ranked.country,
        versions_ranked.merged_company_ids,
        versions_ranked.employee_count,
        versions_ranked.newest_load_number as load_number,
        coalesce(versions_ranked.is_archived, false) as is_archived,
        versions_ranked.created_at,
    from versions_ranked
    where versions_ranked.version_rank = 1
),

merged_ids_split as (
    select
        latest_companies.company_id,
        latest_companies.source,
        {{ split_to_rows('latest_companies.merged_company_ids', ';') }} as merged_company_id,
    from latest_companies
    where latest_companies.merged_company_ids is not null
),

merged_keys as (
    select
        merged_ids_split.company_id,
        {{ crm_key('merged_ids_split.source', 'trim(merged_ids_split.merged_company_id)') }}
            as merged_key,
    from merged_ids_split
),

merged_ids as (
    select
        merged_keys.merged_key as company_id,
        min(merged_keys.company_id) as surviving_company_id,
    from merged_keys
    where merged_keys.merged_key <> merged_keys.company_id
    group by merged_keys.merged_key
),

-- a survivor may have been merged itself: its own survivor counts, and dates the account too
companies_merged as (
    select
        latest_companies.company_id,
        {{ stable_hash([
            'latest_companies.source_entity',
            'coalesce(last_merges.surviving_company_id, merged_ids.surviving_company_id, '
            ~ 'latest_companies.company_id)',
        ]) }} as account_id,
        latest_companies.name,
        latest_companies.domain,
        latest_companies.industry,
        latest_companies.country,
        latest_companies.employee_count,
        greatest(
            latest_companies.load_number,
            coalesce(survivors.load_number, 0),
            coalesce(last_survivors.load_number, 0)
        ) as load_number,
        latest_companies.is_archived,
        merged_ids.company_id is not null as is_merged,
        latest_companies.created_at,
    from latest_companies
    left join merged_ids on latest_companies.company_id = merged_ids.company_id
    left join merged_ids as last_merges
        on merged_ids.surviving_company_id = last_merges.company_id
    left join latest_companies as survivors
        on merged_ids.surviving_company_id = survivors.company_id
    left join latest_companies as last_survivors
        on last_merges.surviving_company_id = last_survivors.company_id
)

select * from companies_merged
