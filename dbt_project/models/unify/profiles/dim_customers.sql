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

customer_attributes as (
    select customer_id, attribute, attribute_value from {{ ref('int_customer_attributes') }}
    where
        is_survivor
        and {{ touched_customers_filter('customer_id') }}
),

attributes_survived as (
    select
        customer_attributes.customer_id,
        {%- for attribute in [
            'country', 'language', 'plan', 'job_title', 'job_role', 'industry', 'lifecycle_stage',
        ] %}
        max(customer_attributes.attribute_value) filter (
            where customer_attributes.attribute = '{{ attribute }}'
        ) as {{ attribute }},
        {%- endfor %}
    from customer_attributes
    group by customer_attributes.customer_id
),

records_counted as (
    select
        record_customers.customer_id,
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
        records_counted.customer_id,
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
        cast(records_counted.record_count as integer) as record_count,
        records_counted.subscribed_flag = 1 as is_subscribed,
        records_counted.first_seen_at,
    from records_counted
    left join attributes_survived
        on records_counted.customer_id = attributes_survived.customer_id
    left join current_accounts
        on records_counted.customer_id = current_accounts.customer_id
)

select * from customers
