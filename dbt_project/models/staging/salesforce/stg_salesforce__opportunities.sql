-- one row per version of an opportunity
with

opportunities as (
    select
        deal_id,
        company_id,
        contact_id,
        owner_id,
        _delivery_id as delivery_id,
        name,
        stage as deal_stage,
        amount,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        is_closed,
        is_won,
        is_archived,
        close_date,
        created_at,
        updated_at,
        _received_at as received_at,
    from {{ source('salesforce', 'opportunities') }}
)

select * from opportunities
