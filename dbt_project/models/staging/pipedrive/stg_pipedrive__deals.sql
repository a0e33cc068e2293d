-- one row per version of a deal
with

deals as (
    select
        deal_id,
        contact_id,
        company_id,
        owner_id,
        _delivery_id as delivery_id,
        title,
        pipeline,
        stage,
        status,
        currency,
        lost_reason,
        amount,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        is_archived,
        created_at,
        updated_at,
        _received_at as received_at,
    from {{ source('pipedrive', 'deals') }}
)

select * from deals
