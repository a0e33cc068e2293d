-- one row per version of a meeting
with

meetings as (
    select
        meeting_id,
        owner_id,
        contact_id,
        _delivery_id as delivery_id,
        title,
        outcome,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        is_archived,
        start_at,
        end_at,
        created_at,
        updated_at,
        _received_at as received_at,
    from {{ source('hubspot', 'meetings') }}
)

select * from meetings
