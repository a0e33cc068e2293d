-- one row per e-mail activity (sent, opened, clicked, bounced, unsubscribed, reported)
{{ config(materialized='incremental', incremental_strategy='append', on_schema_change='fail') }}
{%- set text = dbt.type_string() %}

with

delivered_activities as (
    {{- stacked_email_activities() }}
),

-- What a vendor's own server does on the way to the mailbox, and what it takes for a robot's
-- reading, is nothing that happened between the company and a customer.
activities as (
    select
        delivered_activities.*,
        lower(delivered_activities.action) as action_name,
    from delivered_activities
    where
        {{ newly_loaded('load_number') }}
        and not coalesce(is_filtered, false)
        and lower(action) not in (
            'processed', 'deferred', 'dropped', 'suppressed', 'unbounce', 'print'
        )
        and (
            lower(action) <> 'statuschange'
            or lower(coalesce(subscription_status, status)) = 'unsubscribed'
        )
),

activities_named as (
    select
        activities.*,
        case activities.action_name
            when 'sent' then 'email_sent'
            when 'open' then 'email_opened'
            when 'click' then 'email_clicked'
            when 'bounce' then 'email_bounced'
            when 'unsub' then 'email_unsubscribed'
            when 'statuschange' then 'email_unsubscribed'
            when 'abuse' then 'email_abuse_reported'
            when 'spamreport' then 'email_abuse_reported'
            else 'email_' || activities.action_name
        end as touchpoint_type,
        -- Where a vendor has ids for events, they tell them apart, else what happened does.
        coalesce(
            activities.event_id,
            coalesce(activities.campaign_id, '')
            || '|' || coalesce(activities.member_id, activities.email, activities.row_hash)
            || '|' || activities.action
            || '|' || cast({{ epoch_milliseconds('activities.occurred_at') }} as {{ text }})
            || '|' || coalesce(activities.url, '')
        ) as event_key,
    from activities
),

activities_described as (
    select
        {{ event_columns({
            'touchpoint_id': pseudonym(
                "activities_named.source || '/' || activities_named.entity"
                ~ " || '/' || activities_named.event_key"
            ),
            'source': 'activities_named.source',
            'touchpoint_type': 'activities_named.touchpoint_type',
            'record_key': "activities_named.source || '/members/' || activities_named.member_id",
            'email': 'case when activities_named.member_id is null then '
                ~ normalised_email('activities_named.email') ~ ' end',
            'direction': "case when activities_named.touchpoint_type in"
                ~ " ('email_sent', 'email_delivered', 'email_bounced')"
                ~ " then 'outbound' else 'inbound' end",
            'trigger_kind': "case activities_named.touchpoint_type"
                ~ " when 'email_sent' then 'campaign' when 'email_delivered' then 'system'"
                ~ " when 'email_bounced' then 'system' else 'customer' end",
            'channel': "'email'",
            'department_key': "'marketing'",
            'campaign_id': 'activities_named.campaign_id',
            'load_number': 'activities_named.load_number',
            'occurred_at': 'activities_named.occurred_at',
            'known_at': 'activities_named.received_at',
        }) }}
    from activities_named
)

select * from activities_described
