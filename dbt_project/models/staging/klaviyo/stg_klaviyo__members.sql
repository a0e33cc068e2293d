-- one row per version of a profile
with

members as (
    select
        member_id,
        _delivery_id as delivery_id,
        email,
        phone,
        first_name,
        last_name,
        country,
        status,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        created_at,
        last_changed_at,
        _received_at as received_at,
    from {{ source('klaviyo', 'members') }}
)

select * from members
