-- one row per campaign whose content is known
with

campaigns as (
    select campaign_id, content_id, updated_at, load_number, row_hash
    from {{ ref('stg_mailchimp__campaigns') }}
    where content_id is not null
),

campaigns_ranked as (
    select
        campaigns.*,
        row_number() over (
            partition by campaigns.campaign_id
            order by campaigns.updated_at nulls last, campaigns.row_hash nulls last
        ) as version_number,
    from campaigns
),

-- The content a campaign was made with; a later edit of the campaign touches no customer.
campaign_contents as (
    select campaign_id, content_id, load_number
    from campaigns_ranked
    where version_number = 1
)

select * from campaign_contents
