-- one row per event of the raw export
with

events as (
    select
        message_id,
        user_id,
        device_id,
        distinct_id,
        _delivery_id as delivery_id,
        event,
        library,
        operating_system,
        app_version,
        campaign_name,
        properties,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        event_at,
        _received_at as received_at,
    from {{ source('mixpanel', 'events') }}
)

select * from events
