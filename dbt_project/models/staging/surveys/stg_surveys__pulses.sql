-- one row per anonymous answer of an employee
with

pulses as (
    select
        pulse_id,
        question_id,
        _delivery_id as delivery_id,
        department,
        score,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        responded_at,
        _received_at as received_at,
    from {{ source('surveys', 'pulses') }}
)

select * from pulses
