-- one row per row of the tracking extract
with

unsubs as (
    select
        send_id,
        batch_id,
        _delivery_id as delivery_id,
        subscriber_key,
        email,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        occurred_at,
        _received_at as received_at,
    from {{ source('sfmc', 'unsubs') }}
)

select * from unsubs
