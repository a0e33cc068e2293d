-- one row per version of an audience member
with

members as (
    select
        member_id,
        unique_email_id,
        list_id,
        _delivery_id as delivery_id,
        email,
        status,
        first_name,
        last_name,
        phone,
        country,
        language,
        source_name,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        is_vip,
        opted_in_at,
        created_at,
        last_changed_at,
        _received_at as received_at,
    from {{ source('mailchimp', 'members') }}
)

select * from members
