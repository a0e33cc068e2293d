-- one row per touchpoint-to-be, whoever owns it
{{ config(materialized='view' if target.type != 'spark' else 'table') }}

with

app_events as (
    select * from {{ ref('int_app_events') }}
),

email_events as (
    select * from {{ ref('int_email_events') }}
),

support_events as (
    select * from {{ ref('int_support_events') }}
),

survey_events as (
    select * from {{ ref('int_survey_events') }}
),

crm_events as (
    select * from {{ ref('int_crm_events') }}
),

deal_events as (
    select * from {{ ref('int_deal_events') }}
),

events_stacked as (
    select * from app_events
    union all
    select * from email_events
    union all
    select * from support_events
    union all
    select * from survey_events
    union all
    select * from crm_events
    union all
    select * from deal_events
)

select * from events_stacked
