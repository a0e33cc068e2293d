-- one row per version of a contact
with

contacts as (
    select
        contact_id,
        company_id,
        master_contact_id,
        _delivery_id as delivery_id,
        email,
        first_name,
        last_name,
        phone,
        mobile_phone,
        job_title,
        country,
        postal_code,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        is_archived,
        created_at,
        updated_at,
        _received_at as received_at,
    from {{ source('salesforce', 'contacts') }}
)

select * from contacts
