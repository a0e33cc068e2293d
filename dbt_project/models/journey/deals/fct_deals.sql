-- one row per deal, with or without a customer
{%- set text = dbt.type_string() %}

with

crm_deals as (
    select * from {{ ref('int_deals') }}
),

deal_stages as (
    select deal_id, deal_stage, entered_at from {{ ref('int_deal_stages') }}
),

customer_records as (
    select record_key, customer_id
    from {{ ref('stg_identity__customer_records') }}
    where customer_id is not null
),

companies as (
    select company_id, account_id from {{ ref('int_companies_merged') }}
),

departments as (
    select department_key, department from {{ ref('int_departments_named') }}
),

currency_rates as (
    select currency, rate, valid_from, valid_to from {{ ref('int_currency_rates_dated') }}
),

stages_counted as (
    select
        deal_stages.deal_id,
        count(*) as stage_count,
        max(
            case when {{ deal_outcome('deal_stages.deal_stage') }} is not null
                then deal_stages.entered_at end
        ) as closed_at,
    from deal_stages
    group by deal_stages.deal_id
),

-- A deal that was opened again is not closed, whatever its history holds.
deals_dated as (
    select
        crm_deals.*,
        {{ deal_outcome('crm_deals.deal_stage') }} as outcome,
        coalesce(stages_counted.stage_count, 0) as stage_count,
        case
            when {{ deal_outcome('crm_deals.deal_stage') }} is not null
                then stages_counted.closed_at
        end as closed_at,
    from crm_deals
    left join stages_counted on crm_deals.deal_id = stages_counted.deal_id
),

deals as (
    select
        deals_dated.deal_id,
        cast(customer_records.customer_id as {{ text }}) as customer_id,
        cast(companies.account_id as {{ text }}) as account_id,
        deals_dated.pipeline,
        deals_dated.deal_stage as current_stage,
        cast(deals_dated.outcome as {{ text }}) as outcome,
        deals_dated.lost_reason,
        deals_dated.competitor,
        cast(coalesce(departments.department, 'sales') as {{ text }}) as department,
        {{ pseudonym('deals_dated.owner_key') }} as agent_pseudonym,
        cast(deals_dated.stage_count as integer) as stage_count,
        cast(
            {{ at_rate('deals_dated.original_amount', 'currency_rates.rate') }} as decimal(18, 2)
        ) as value_amount,
        deals_dated.original_amount,
        deals_dated.currency,
        deals_dated.is_archived,
        deals_dated.opened_at,
        deals_dated.closed_at,
    from deals_dated
    left join customer_records on deals_dated.record_key = customer_records.record_key
    left join companies on deals_dated.company_id = companies.company_id
    left join departments on deals_dated.owner_key = departments.department_key
    left join currency_rates
        on
            deals_dated.currency = currency_rates.currency
            and cast(coalesce(deals_dated.closed_at, deals_dated.opened_at) as date)
            >= currency_rates.valid_from
            and cast(coalesce(deals_dated.closed_at, deals_dated.opened_at) as date)
            < currency_rates.valid_to
)

select * from deals
