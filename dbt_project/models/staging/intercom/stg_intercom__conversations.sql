-- one row per version of a conversation
with

conversations as (
    select
        ticket_id,
        requester_id,
        assignee_id,
        _delivery_id as delivery_id,
        author_type,
        status,
        channel,
        rating,
        rating_remark,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        created_at,
        updated_at,
        rated_at,
        _received_at as received_at,
    from {{ source('intercom', 'conversations') }}
)

select * from conversations
