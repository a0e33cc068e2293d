-- one row per version of an owner (an employee)
with

owners as (
    select
        owner_id,
        _delivery_id as delivery_id,
        email,
        first_name,
        last_name,
        team,
        department,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        is_archived,
        created_at,
        updated_at,
        _received_at as received_at,
    from {{ source('hubspot', 'owners') }}
)

select * from owners
