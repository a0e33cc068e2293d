-- one row per event of a profile
with

email_events as (
    select
        event_id,
        member_id,
        campaign_id,
        flow_id,
        _delivery_id as delivery_id,
        action,
        url,
        bounce_type,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        is_deleted,
        occurred_at,
        _received_at as received_at,
    from {{ source('klaviyo', 'email_events') }}
)

select * from email_events
