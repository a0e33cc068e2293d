-- one row per answer to a survey
with

responses as (
    select
        response_id,
        survey_id,
        _delivery_id as delivery_id,
        email,
        survey,
        score,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        is_finished,
        responded_at,
        _received_at as received_at,
    from {{ source('qualtrics', 'responses') }}
)

select * from responses
