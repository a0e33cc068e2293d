-- one row per answer to a survey
with

responses as (
    select
        response_id,
        respondent_id,
        question_id,
        ticket_id,
        _delivery_id as delivery_id,
        survey,
        comment,
        trigger,
        channel,
        score,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        responded_at,
        _received_at as received_at,
    from {{ source('surveys', 'responses') }}
)

select * from responses
