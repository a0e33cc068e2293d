-- one row per version of an account
with

accounts as (
    select
        company_id,
        master_company_id,
        _delivery_id as delivery_id,
        name,
        domain,
        industry,
        country,
        employee_count,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        is_archived,
        created_at,
        updated_at,
        _received_at as received_at,
    from {{ source('salesforce', 'accounts') }}
)

select * from accounts
