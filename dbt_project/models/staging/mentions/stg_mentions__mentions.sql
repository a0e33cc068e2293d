-- one row per mention
with

mentions as (
    select
        message_id,
        user_id,
        campaign_id,
        _delivery_id as delivery_id,
        network,
        email,
        author,
        text,
        sentiment,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        event_at,
        _received_at as received_at,
    from {{ source('mentions', 'mentions') }}
)

select * from mentions
