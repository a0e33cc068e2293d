-- one row per version of a contact
with

contacts as (
    select
        contact_id,
        owner_id,
        company_id,
        app_user_id,
        _delivery_id as delivery_id,
        email,
        additional_emails,
        first_name,
        last_name,
        job_title,
        role,
        industry,
        country,
        city,
        postal_code,
        phone,
        mobile_phone,
        lifecycle_stage,
        merged_contact_ids,
        budget,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        is_archived,
        birth_date,
        created_at,
        updated_at,
        archived_at,
        _received_at as received_at,
    from {{ source('hubspot', 'contacts') }}
)

select * from contacts
