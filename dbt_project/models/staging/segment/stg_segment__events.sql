-- one row per call of the app's tracking library
with

events as (
    select
        message_id,
        anonymous_id,
        user_id,
        previous_id,
        group_id,
        device_id,
        campaign_id,
        _delivery_id as delivery_id,
        type,
        event,
        name,
        device_type,
        app_version,
        library,
        campaign_name,
        page_path,
        referrer,
        locale,
        properties,
        traits,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        consent_analytics,
        original_at,
        sent_at,
        segment_received_at,
        event_at,
        _received_at as received_at,
    from {{ source('segment', 'events') }}
)

select * from events
