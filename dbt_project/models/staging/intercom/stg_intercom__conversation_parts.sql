-- one row per part of a conversation
with

conversation_parts as (
    select
        comment_id,
        ticket_id,
        author_id,
        _delivery_id as delivery_id,
        author_type,
        part_type,
        body,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        created_at,
        _received_at as received_at,
    from {{ source('intercom', 'conversation_parts') }}
)

select * from conversation_parts
