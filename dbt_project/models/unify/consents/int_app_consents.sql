-- one row per user, device and day on which calls said whether they may be analysed, and load
{{ config(materialized='incremental', incremental_strategy='append', on_schema_change='fail') }}

with

events as (
    {{- stacked_app_events() }}
),

calls as (
    select *
    from events
    where
        type in ('identify', 'track', 'page', 'screen', 'action')
        and user_id is not null
        and consent_analytics is not null
        and {{ newly_loaded('load_number') }}
),

calls_dated as (
    select
        calls.source,
        calls.source || '/users/' || calls.user_id as record_key,
        coalesce(calls.anonymous_id, '') as anonymous_id,
        case when calls.device_type in ('ios', 'android') then 'app' else 'web' end as channel,
        calls.consent_analytics,
        calls.load_number,
        {{ clock_corrected(
            'calls.original_at',
            'calls.sent_at',
            'calls.segment_received_at',
            'calls.event_at',
        ) }} as occurred_at,
    from calls
),

app_consents as (
    select
        calls_dated.source,
        calls_dated.record_key,
        calls_dated.anonymous_id,
        calls_dated.channel,
        calls_dated.load_number,
        cast(calls_dated.occurred_at as date) as said_date,
        min(calls_dated.occurred_at) filter (
            where calls_dated.consent_analytics
        ) as first_granted_at,
        min(calls_dated.occurred_at) filter (
            where not calls_dated.consent_analytics
        ) as first_withdrawn_at,
    from calls_dated
    group by
        calls_dated.source,
        calls_dated.record_key,
        calls_dated.anonymous_id,
        calls_dated.channel,
        calls_dated.load_number,
        cast(calls_dated.occurred_at as date)
)

select * from app_consents
