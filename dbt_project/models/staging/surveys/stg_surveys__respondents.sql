-- one row per version of a survey respondent
with

respondents as (
    select
        respondent_id,
        _delivery_id as delivery_id,
        email,
        name,
        phone,
        country,
        language,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        created_at,
        updated_at,
        _received_at as received_at,
    from {{ source('surveys', 'respondents') }}
)

select * from respondents
