-- one row per customer, account and time at which the association began
{{ config(
    materialized='incremental',
    incremental_strategy='touched_customers',
    tags=['customer_grain'],
    on_schema_change='fail',
) }}

with

record_accounts as (
    select record_key, account_id, associated_by, role, valid_from, valid_to
    from {{ ref('int_record_accounts') }}
),

record_customers as (
    select customer_id, record_key from {{ ref('int_record_customers') }}
    where {{ touched_customers_filter('customer_id') }}
),

-- Two records of a customer at one account are one association, from the earliest on.
customer_accounts as (
    select
        record_customers.customer_id,
        record_accounts.account_id,
        min(record_accounts.associated_by) as associated_by,
        max(record_accounts.role) as role,
        min(record_accounts.valid_from) as valid_from,
        case
            when count(*) = count(record_accounts.valid_to)
                then max(record_accounts.valid_to)
        end as valid_to,
    from record_accounts
    inner join record_customers on record_accounts.record_key = record_customers.record_key
    group by record_customers.customer_id, record_accounts.account_id
)

select * from customer_accounts
