-- one row per deal, as its newest version says
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='deal_id',
    on_schema_change='fail',
) }}
{%- set text = dbt.type_string() %}

with

delivered_deals as (
    {{- stacked_crm_deals() }}
),

deal_versions as (
    select deals.*
    from delivered_deals as deals
    where {{ newly_versioned('deals.deal_id', 'delivered_deals') }}
),

versions_ranked as (
    select
        deal_versions.*,
        min(deal_versions.created_at) over (
            partition by deal_versions.source, deal_versions.deal_id
        ) as first_created_at,
        max(deal_versions.load_number) over (
            partition by deal_versions.source, deal_versions.deal_id
        ) as last_load_number,
        row_number() over (
            partition by deal_versions.source, deal_versions.deal_id
            order by
                deal_versions.updated_at desc nulls last,
                deal_versions.row_hash desc nulls last
        ) as newest_first,
    from deal_versions
),

deals as (
    select
        cast(
            {{ crm_key('versions_ranked.source', 'versions_ranked.deal_id') }} as {{ text }}
        ) as deal_id,
        cast(
            versions_ranked.source || '/' || versions_ranked.entity || '/'
            || versions_ranked.deal_id as {{ text }}
        ) as deal_record_key,
        versions_ranked.source,
        cast(
            versions_ranked.source || '/' || versions_ranked.contact_entity || '/'
            || versions_ranked.contact_id as {{ text }}
        ) as record_key,
        cast(
            {{ crm_key('versions_ranked.source', 'versions_ranked.company_id') }} as {{ text }}
        ) as company_id,
        cast(versions_ranked.source || '/owners/' || versions_ranked.owner_id as {{ text }})
            as owner_key,
        versions_ranked.deal_stage,
        versions_ranked.pipeline,
        versions_ranked.currency,
        versions_ranked.lost_reason,
        versions_ranked.competitor,
        cast(versions_ranked.amount as decimal(18, 4)) as original_amount,
        cast(versions_ranked.last_load_number as integer) as load_number,
        coalesce(versions_ranked.is_archived, false) as is_archived,
        versions_ranked.first_created_at as opened_at,
    from versions_ranked
    where versions_ranked.newest_first = 1
)

select * from deals
