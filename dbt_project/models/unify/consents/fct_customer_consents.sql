-- one row per customer, purpose, channel and time for which one state of consent holds
{{ config(
    materialized='incremental',
    incremental_strategy='touched_customers',
    tags=['customer_grain'],
    on_schema_change='fail',
) }}

with

customers as (
    select customer_id, coalesce(jurisdiction, 'unknown') as jurisdiction, first_seen_at
    from {{ ref('dim_customers') }}
    where {{ touched_customers_filter('customer_id') }}
),

customer_consents as (
    select * from {{ ref('int_customer_consents') }}
    where {{ touched_customers_filter('customer_id') }}
),

consent_purposes as (
    select purpose, channel, jurisdiction, is_permitted_unsaid
    from {{ ref('stg_config__consent_purposes') }}
),

first_statements as (
    select
        customer_consents.customer_id,
        customer_consents.purpose,
        customer_consents.channel,
        min(customer_consents.valid_from) as stated_at,
    from customer_consents
    group by
        customer_consents.customer_id, customer_consents.purpose, customer_consents.channel
),

consents_stacked as (
    select
        customer_consents.customer_id,
        customer_consents.purpose,
        customer_consents.channel,
        customers.jurisdiction,
        customer_consents.state,
        customer_consents.source,
        customer_consents.rule,
        customer_consents.state = 'granted' as is_permitted,
        customer_consents.valid_from,
        customer_consents.valid_to,
    from customer_consents
    inner join customers on customer_consents.customer_id = customers.customer_id
    union all
    -- until a person says something the law of the place decides
    select
        customers.customer_id,
        consent_purposes.purpose,
        consent_purposes.channel,
        customers.jurisdiction,
        'never_given',
        null,
        'jurisdiction',
        consent_purposes.is_permitted_unsaid,
        customers.first_seen_at,
        first_statements.stated_at,
    from customers
    inner join consent_purposes on customers.jurisdiction = consent_purposes.jurisdiction
    left join first_statements
        on
            customers.customer_id = first_statements.customer_id
            and consent_purposes.purpose = first_statements.purpose
            and consent_purposes.channel = first_statements.channel
    where
        first_statements.stated_at is null
        or first_statements.stated_at > customers.first_seen_at
),

consents as (
    select
        consents_stacked.customer_id,
        cast(consents_stacked.purpose as {{ dbt.type_string() }}) as purpose,
        cast(consents_stacked.channel as {{ dbt.type_string() }}) as channel,
        consents_stacked.jurisdiction,
        cast(consents_stacked.state as {{ dbt.type_string() }}) as state,
        cast(consents_stacked.source as {{ dbt.type_string() }}) as source,
        cast(consents_stacked.rule as {{ dbt.type_string() }}) as rule,
        consents_stacked.is_permitted,
        consents_stacked.valid_from,
        consents_stacked.valid_to,
    from consents_stacked
)

select * from consents
