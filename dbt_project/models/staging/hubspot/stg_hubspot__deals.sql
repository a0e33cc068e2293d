-- one row per version of a deal
with

deals as (
    select
        deal_id,
        owner_id,
        contact_id,
        company_id,
        _delivery_id as delivery_id,
        deal_name,
        deal_stage,
        pipeline,
        currency,
        lost_reason,
        competitor,
        stage_history,
        amount,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        is_archived,
        close_date,
        created_at,
        updated_at,
        _received_at as received_at,
    from {{ source('hubspot', 'deals') }}
)

select * from deals
