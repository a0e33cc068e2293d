-- one row per stage of the sales pipeline that a deal entered
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
    select
        cast({{ crm_key('deals.source', 'deals.deal_id') }} as {{ text }}) as deal_id,
        deals.deal_stage,
        nullif(deals.stage_history, '[]') as stage_history,
        deals.updated_at,
        deals.received_at,
        deals.load_number,
        deals.row_hash,
    from delivered_deals as deals
    where {{ newly_versioned('deals.deal_id', 'delivered_deals') }}
),

versions_ranked as (
    select
        deal_versions.*,
        max(deal_versions.load_number) over (
            partition by deal_versions.deal_id
        ) as last_load_number,
        max(deal_versions.stage_history) over (
            partition by deal_versions.deal_id
        ) is not null as has_history,
        row_number() over (
            partition by deal_versions.deal_id
            order by
                case when deal_versions.stage_history is null then 1 else 0 end nulls last,
                deal_versions.updated_at desc nulls last,
                deal_versions.row_hash desc nulls last
        ) as newest_first,
        lag(deal_versions.deal_stage) over (
            partition by deal_versions.deal_id
            order by deal_versions.updated_at nulls last, deal_versions.row_hash nulls last
        ) as previous_stage,
    from deal_versions
),

history_unpacked as (
    select
        versions_ranked.deal_id,
        {{ unnest_json_array('versions_ranked.stage_history') }} as entry,
        versions_ranked.newest_first,
        versions_ranked.last_load_number,
        versions_ranked.received_at,
    from versions_ranked
    where versions_ranked.stage_history is not null
),

-- The newest history says which stages there were, the first delivery that told of one when it
-- was known. Without any history the versions themselves are all that is known.
entries_stacked as (
    select
        history_unpacked.deal_id,
        {{ json_text('history_unpacked.entry', 'value') }} as deal_stage,
        history_unpacked.newest_first,
        history_unpacked.last_load_number,
        try_cast({{ json_text('history_unpacked.entry', 'timestamp') }} as timestamp)
            as entered_at,
        history_unpacked.received_at,
    from history_unpacked
    union all
    select
        versions_ranked.deal_id,
        versions_ranked.deal_stage,
        1 as newest_first,
        versions_ranked.last_load_number,
        versions_ranked.updated_at as entered_at,
        versions_ranked.received_at,
    from versions_ranked
    where
        not versions_ranked.has_history
        and versions_ranked.deal_stage <> coalesce(versions_ranked.previous_stage, '')
),

entries as (
    select
        entries_stacked.deal_id,
        entries_stacked.deal_stage,
        entries_stacked.entered_at,
        max(entries_stacked.last_load_number) as load_number,
        min(entries_stacked.received_at) as known_at,
    from entries_stacked
    where
        entries_stacked.deal_stage is not null
        and entries_stacked.entered_at is not null
    group by
        entries_stacked.deal_id, entries_stacked.deal_stage, entries_stacked.entered_at
    having min(entries_stacked.newest_first) = 1
),

deal_stages as (
    select
        entries.deal_id,
        entries.deal_stage,
        cast(
            row_number() over (
                partition by entries.deal_id
                order by entries.entered_at nulls last, entries.deal_stage nulls last
            ) as integer
        ) as stage_number,
        cast(entries.load_number as integer) as load_number,
        entries.entered_at,
        lead(entries.entered_at) over (
            partition by entries.deal_id
            order by entries.entered_at nulls last, entries.deal_stage nulls last
        ) as left_at,
        entries.known_at,
    from entries
)

select * from deal_stages
