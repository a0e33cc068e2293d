-- one row per event of the enriched stream, as the Analytics SDKs write it
with

events as (
    select
        message_id,
        content_id,
        user_id,
        domain_user_id,
        network_user_id,
        app_id,
        _delivery_id as delivery_id,
        platform,
        event_kind,
        event_name,
        structured_action,
        page_path,
        campaign_name,
        locale,
        contexts,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        original_at,
        sent_at,
        collected_at,
        event_at,
        _received_at as received_at,
    from {{ source('snowplow', 'events') }}
)

select * from events
