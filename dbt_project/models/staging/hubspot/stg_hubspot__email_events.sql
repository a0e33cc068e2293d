-- one row per event of a Marketing e-mail
with

email_events as (
    select
        event_id,
        campaign_id,
        send_id,
        _delivery_id as delivery_id,
        email,
        action,
        app_name,
        subject,
        url,
        bounce_type,
        status,
        subscription_status,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        is_filtered,
        occurred_at,
        _received_at as received_at,
    from {{ source('hubspot', 'email_events') }}
)

select * from email_events
