-- one row per version of a support group
with

groups as (
    select
        group_id,
        _delivery_id as delivery_id,
        name,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        created_at,
        updated_at,
        _received_at as received_at,
    from {{ source('zendesk', 'groups') }}
)

select * from groups
