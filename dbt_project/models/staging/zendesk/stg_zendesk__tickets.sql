-- one row per version of a ticket
with

tickets as (
    select
        ticket_id,
        requester_id,
        submitter_id,
        assignee_id,
        group_id,
        _delivery_id as delivery_id,
        subject,
        status,
        priority,
        channel,
        tags,
        score,
        refund_currency,
        cancel_reason,
        handling_minutes,
        refund_amount,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        created_at,
        updated_at,
        _received_at as received_at,
    from {{ source('zendesk', 'tickets') }}
)

select * from tickets
