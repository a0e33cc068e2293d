-- one row per version of a case
with

cases as (
    select
        ticket_id,
        requester_id,
        assignee_id,
        _delivery_id as delivery_id,
        subject,
        status,
        priority,
        channel,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        is_deleted,
        created_at,
        updated_at,
        _received_at as received_at,
    from {{ source('salesforce', 'cases') }}
)

select * from cases
