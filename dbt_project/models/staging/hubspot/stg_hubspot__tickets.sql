-- one row per version of a ticket
with

tickets as (
    select
        ticket_id,
        requester_id,
        owner_id,
        _delivery_id as delivery_id,
        pipeline,
        stage,
        category,
        priority,
        source_type,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        is_archived,
        created_at,
        updated_at,
        _received_at as received_at,
    from {{ source('hubspot', 'tickets') }}
)

select * from tickets
