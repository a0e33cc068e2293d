-- one row per customer whom a campaign's e-mail reached, and KPI that counts it
with

touchpoints as (
    select customer_id, source, campaign_id, touchpoint_type, occurred_at
    from {{ ref('fct_touchpoints') }}
    where
        touchpoint_type in ('email_sent', 'email_bounced', 'email_opened', 'email_clicked')
        and campaign_id is not null
),

-- Somebody with two addresses on a list is one person reached.
recipients as (
    select
        touchpoints.customer_id,
        min(
            case when touchpoints.touchpoint_type = 'email_sent' then touchpoints.occurred_at end
        ) as sent_at,
        max(case when touchpoints.touchpoint_type = 'email_sent' then 1 else 0 end) as sent,
        sum(
            case touchpoints.touchpoint_type
                when 'email_sent' then 1
                when 'email_bounced' then -1
                else 0
            end
        ) as arrived_count,
        max(case when touchpoints.touchpoint_type = 'email_opened' then 1 else 0 end) as opened,
        max(case when touchpoints.touchpoint_type = 'email_clicked' then 1 else 0 end)
            as clicked,
    from touchpoints
    group by touchpoints.customer_id, touchpoints.source, touchpoints.campaign_id
),

recipients_reached as (
    select
        recipients.customer_id,
        recipients.opened,
        recipients.clicked,
        {{ reporting_date('recipients.sent_at') }} as sent_date,
    from recipients
    where
        recipients.sent = 1
        and recipients.arrived_count > 0
),

units as (
    select
        'email_open_share' as kpi,
        recipients_reached.customer_id,
        cast(recipients_reached.opened as integer) as points,
        cast(null as bigint) as measured_seconds,
        recipients_reached.sent_date as counted_date,
    from recipients_reached
    union all
    select
        'email_click_share' as kpi,
        recipients_reached.customer_id,
        cast(recipients_reached.clicked as integer) as points,
        cast(null as bigint) as measured_seconds,
        recipients_reached.sent_date as counted_date,
    from recipients_reached
)

select * from units
