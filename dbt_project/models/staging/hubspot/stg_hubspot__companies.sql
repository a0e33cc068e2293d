-- one row per version of a company
with

companies as (
    select
        company_id,
        _delivery_id as delivery_id,
        name,
        domain,
        industry,
        country,
        city,
        merged_company_ids,
        employee_count,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        is_archived,
        created_at,
        updated_at,
        _received_at as received_at,
    from {{ source('hubspot', 'companies') }}
)

select * from companies
