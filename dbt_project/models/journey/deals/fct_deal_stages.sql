-- one row per stage of the sales pipeline that a deal entered
{%- set text = dbt.type_string() %}

with

pipeline_visits as (
    select deal_id, deal_stage, stage_number, entered_at, left_at, known_at
    from {{ ref('int_deal_stages') }}
),

deals as (
    select deal_id, customer_id from {{ ref('fct_deals') }}
),

deal_stages as (
    select
        pipeline_visits.deal_id,
        deals.customer_id,
        cast(pipeline_visits.deal_stage as {{ text }}) as deal_stage,
        pipeline_visits.stage_number,
        pipeline_visits.entered_at,
        pipeline_visits.left_at,
        pipeline_visits.known_at,
    from pipeline_visits
    inner join deals on pipeline_visits.deal_id = deals.deal_id
)

select * from deal_stages
