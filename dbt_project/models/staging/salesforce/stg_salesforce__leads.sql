-- one row per version of a lead
with

leads as (
    select
        contact_id,
        master_lead_id,
        converted_contact_id,
        _delivery_id as delivery_id,
        email,
        first_name,
        last_name,
        phone,
        mobile_phone,
        company_name,
        job_title,
        country,
        postal_code,
        industry,
        lifecycle_stage,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        is_archived,
        created_at,
        updated_at,
        _received_at as received_at,
    from {{ source('salesforce', 'leads') }}
)

select * from leads
