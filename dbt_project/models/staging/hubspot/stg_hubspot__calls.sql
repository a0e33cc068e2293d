-- one row per version of a call
with

calls as (
    select
        call_id,
        owner_id,
        contact_id,
        _delivery_id as delivery_id,
        title,
        direction,
        disposition,
        duration_milliseconds,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        is_archived,
        occurred_at,
        created_at,
        updated_at,
        _received_at as received_at,
    from {{ source('hubspot', 'calls') }}
)

select * from calls
