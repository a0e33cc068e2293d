-- one row per customer: the golden record, without direct identifiers
{{ config(
    materialized='incremental',
    incremental_strategy='touched_customers',
    tags=['customer_grain'],
    on_schema_change='fail',
) }}

with

record_customers as (
    select * from {{ ref('int_record_customers') }}
    where {{ touched_customers_filter('customer_id') }}
),

customer_accounts as (
    select customer_id, account_id, associated_by, valid_from
    from {{ ref('bridge_customer_accounts') }}
    where valid_to is null
),

attributes_survived as (
    select
        record_customers.customer_id,
        {{ latest_known('record_customers.country', 'record_customers.version_order') }}
            as country,
        {{ latest_known('record_customers.language', 'record_customers.version_order') }}
            as language,
        {{ latest_known('record_customers.plan', 'record_customers.version_order') }} as plan,
        {{ latest_known('record_customers.job_title', 'record_customers.version_order') }}
            as job_title,
        {{ latest_known('record_customers.job_role', 'record_customers.version_order') }}
            as job_role,
        {{ latest_known('record_customers.industry', 'record_customers.version_order') }}
            as industry,
        {{ latest_known('record_customers.lifecycle_stage', 'record_customers.version_order') }}
            as lifecycle_stage,
        count(*) as record_count,
        -- consent: the most restrictive of the person's subscriptions wins
        min(
            case
                when record_customers.subscription_status = 'subscribed' then 1
                when record_customers.subscription_status is not null then 0
            end
        ) as subscribed_flag,
        min(record_customers.created_at) as first_seen_at,
    from record_customers
    group by record_customers.customer_id
),

-- what the CRM says goes before what a mail domain says; then the association joined last
accounts_ranked as (
    select
        customer_accounts.customer_id,
        customer_accounts.account_id,
        row_number() over (
            partition by customer_accounts.customer_id
            order by
                customer_accounts.associated_by nulls last,
                customer_accounts.valid_from desc nulls last,
                customer_accounts.account_id nulls last
        ) as account_rank,
    from customer_accounts
),

current_accounts as (
    select customer_id, account_id from accounts_ranked
    where account_rank = 1
),

customers as (
    select
        attributes_survived.customer_id,
        current_accounts.account_id,
        cast(null as {{ dbt.type_string() }}) as persona,
        attributes_survived.country,
        {{ jurisdiction('attributes_survived.country') }} as jurisdiction,
        attributes_survived.language,
        attributes_survived.plan,
        attributes_survived.job_title,
        attributes_survived.job_role,
        attributes_survived.industry,
        attributes_survived.lifecycle_stage,
        cast(attributes_survived.record_count as integer) as record_count,
        attributes_survived.subscribed_flag = 1 as is_subscribed,
        attributes_survived.first_seen_at,
    from attributes_survived
    left join current_accounts
        on attributes_survived.customer_id = current_accounts.customer_id
)

select * from customers
