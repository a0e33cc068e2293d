-- one row per comment on a ticket
with

comments as (
    select
        comment_id,
        ticket_id,
        author_id,
        _delivery_id as delivery_id,
        body,
        channel,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        is_public,
        created_at,
        _received_at as received_at,
    from {{ source('zendesk', 'comments') }}
)

select * from comments
