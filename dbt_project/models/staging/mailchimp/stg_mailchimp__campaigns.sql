-- one row per version of a campaign
with

campaigns as (
    select
        campaign_id,
        content_id,
        list_id,
        _delivery_id as delivery_id,
        campaign_type,
        status,
        title,
        subject_line,
        audience_name,
        currency,
        spend_amount,
        emails_sent_count,
        _load_number as load_number,
        _row_number as delivery_row_number,
        _row_hash as row_hash,
        created_at,
        sent_at,
        updated_at,
        _received_at as received_at,
    from {{ source('mailchimp', 'campaigns') }}
)

select * from campaigns
