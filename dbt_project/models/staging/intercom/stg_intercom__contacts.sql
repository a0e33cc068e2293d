-- one row per version of a contact
with

contacts as (
    select
        user_id,
        external_id,
        _delivery_id as delivery_id,
        email,
        name,
        phone,
        role,
        locale,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        is_active,
        created_at,
        updated_at,
        _received_at as received_at,
    from {{ source('intercom', 'contacts') }}
)

select * from contacts
