-- one row per event of a batch
with

events as (
    select
        message_id,
        user_id,
        device_id,
        mparticle_id,
        _delivery_id as delivery_id,
        event_kind,
        email,
        event_name,
        screen_name,
        product_action,
        platform,
        locale,
        app_version,
        properties,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        event_at,
        _received_at as received_at,
    from {{ source('mparticle', 'events') }}
)

select * from events
