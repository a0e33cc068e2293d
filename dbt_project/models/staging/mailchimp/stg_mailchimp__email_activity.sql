-- one row per action on a campaign's e-mail
with

email_activity as (
    select
        campaign_id,
        list_id,
        email_id,
        unique_email_id as member_id,
        _delivery_id as delivery_id,
        email,
        action,
        bounce_type,
        url,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        occurred_at,
        _received_at as received_at,
    from {{ source('mailchimp', 'email_activity') }}
)

select * from email_activity
