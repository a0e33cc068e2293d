-- one row per account
with

companies as (
    select * from {{ ref('int_companies_merged') }}
),

-- the company that the others were merged into describes the account
companies_ranked as (
    select
        companies.*,
        min(companies.created_at) over (
            partition by companies.account_id
        ) as first_created_at,
        row_number() over (
            partition by companies.account_id
            order by
                companies.is_merged nulls last,
                companies.created_at nulls last,
                companies.company_id nulls last
        ) as company_rank,
    from companies
),

accounts as (
    select
        companies_ranked.account_id,
        companies_ranked.name,
        companies_ranked.domain,
        companies_ranked.industry,
        companies_ranked.country,
        cast(companies_ranked.employee_count as integer) as employee_count,
        companies_ranked.is_archived,
        companies_ranked.first_created_at as created_at,
    from companies_ranked
    where companies_ranked.company_rank = 1
)

select * from accounts
