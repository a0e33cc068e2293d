-- one row per unit that a KPI counts: an instance, a subscription's month, a ticket, an answer
{{ config(materialized='view' if target.type != 'spark' else 'table') }}

with

trial_units as (
    select * from {{ ref('int_trial_units') }}
),

churn_units as (
    select * from {{ ref('int_churn_units') }}
),

support_units as (
    select * from {{ ref('int_support_units') }}
),

survey_units as (
    select * from {{ ref('int_survey_units') }}
),

email_units as (
    select * from {{ ref('int_email_units') }}
),

customers as (
    select customer_id, country, plan from {{ ref('dim_customers') }}
),

units_stacked as (
    select * from trial_units
    union all
    select * from churn_units
    union all
    select * from support_units
    union all
    select * from survey_units
    union all
    select * from email_units
),

units_beside_customers as (
    select
        units_stacked.kpi,
        units_stacked.customer_id,
        coalesce(customers.country, 'unknown') as country,
        coalesce(customers.plan, 'unknown') as plan,
        units_stacked.points,
        units_stacked.measured_seconds,
        cast(date_trunc('month', units_stacked.counted_date) as date) as period_start,
    from units_stacked
    left join customers on units_stacked.customer_id = customers.customer_id
)

select * from units_beside_customers
