-- one row per step that the company took behind a customer's ticket
{{ config(
    materialized='incremental',
    incremental_strategy='touched_customers',
    tags=['customer_grain'],
    on_schema_change='fail',
    persist_docs={'relation': false, 'columns': false},
) }}
{%- set text = dbt.type_string() %}

with

service_steps as (
    select
        step_id,
        source,
        ticket_id,
        step_type,
        department_key,
        from_department_key,
        agent_key,
        occurred_at,
        known_at,
    from {{ ref('int_service_steps') }}
),

tickets as (
    select source, ticket_id, requester_record_key
    from {{ ref('int_tickets') }}
    where coalesce(status, '') <> 'deleted'
),

customer_records as (
    select record_key, customer_id
    from {{ ref('stg_identity__customer_records') }}
    where
        customer_id is not null
        and {{ touched_customers_filter('customer_id') }}
),

departments as (
    select department_key, department from {{ ref('int_departments_named') }}
),

steps_of_customers as (
    select
        service_steps.step_id,
        service_steps.ticket_id,
        cast(customer_records.customer_id as {{ text }}) as customer_id,
        cast(service_steps.step_type as {{ text }}) as step_type,
        cast(
            coalesce(
                departments.department,
                case when service_steps.department_key is null then 'support' end
            ) as {{ text }}
        ) as department,
        cast(from_departments.department as {{ text }}) as from_department,
        {{ pseudonym('service_steps.agent_key') }} as agent_pseudonym,
        service_steps.occurred_at,
        service_steps.known_at,
    from service_steps
    inner join tickets
        on
            service_steps.source = tickets.source
            and service_steps.ticket_id = tickets.ticket_id
    inner join customer_records
        on tickets.requester_record_key = customer_records.record_key
    left join departments
        on service_steps.department_key = departments.department_key
    left join departments as from_departments
        on service_steps.from_department_key = from_departments.department_key
),

steps_of_customers_hashed as (
    select
        steps_of_customers.*,
        {{ row_hash() }} as row_hash,
    from steps_of_customers
)

select * from steps_of_customers_hashed
