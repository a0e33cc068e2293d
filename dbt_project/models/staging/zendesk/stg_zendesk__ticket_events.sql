-- one row per change of a ticket's field
with

ticket_events as (
    select
        ticket_event_id,
        ticket_id,
        updater_id,
        _delivery_id as delivery_id,
        via,
        event_type,
        field_name,
        value,
        previous_value,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        created_at,
        _received_at as received_at,
    from {{ source('zendesk', 'ticket_events') }}
)

select * from ticket_events
