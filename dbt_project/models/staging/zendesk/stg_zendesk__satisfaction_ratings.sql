-- one row per version of a satisfaction rating
with

satisfaction_ratings as (
    select
        rating_id,
        ticket_id,
        requester_id,
        assignee_id,
        group_id,
        _delivery_id as delivery_id,
        score,
        reason,
        comment,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        created_at,
        updated_at,
        _received_at as received_at,
    from {{ source('zendesk', 'satisfaction_ratings') }}
)

select * from satisfaction_ratings
