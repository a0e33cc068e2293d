-- one row per version of a person
with

persons as (
    select
        contact_id,
        company_id,
        _delivery_id as delivery_id,
        email,
        additional_emails,
        first_name,
        last_name,
        phone,
        mobile_phone,
        job_title,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        is_archived,
        created_at,
        updated_at,
        _received_at as received_at,
    from {{ source('pipedrive', 'persons') }}
)

select * from persons
