-- one row per e-mail activity (sent, opened, clicked, bounced, unsubscribed, reported)
{{ config(materialized='incremental', incremental_strategy='append', on_schema_change='fail') }}

with

email_activity as (
    select
        campaign_id,
        unique_email_id,
        action,
        url,
        occurred_at,
        received_at,
        load_number,
    from {{ ref('stg_mailchimp__email_activity') }}
    where {{ newly_loaded() }}
),

activity_described as (
    select
        {{ event_columns({
            'touchpoint_id': pseudonym(
                "'mailchimp/email_activity/' || email_activity.campaign_id || '|'"
                ~ " || email_activity.unique_email_id || '|' || email_activity.action || '|'"
                ~ ' || cast(' ~ epoch_milliseconds('email_activity.occurred_at')
                ~ ' as ' ~ dbt.type_string() ~ ')'
                ~ " || '|' || coalesce(email_activity.url, '')"
            ),
            'source': "'mailchimp'",
            'touchpoint_type': "case email_activity.action"
                ~ " when 'sent' then 'email_sent'"
                ~ " when 'open' then 'email_opened'"
                ~ " when 'click' then 'email_clicked'"
                ~ " when 'bounce' then 'email_bounced'"
                ~ " when 'unsub' then 'email_unsubscribed'"
                ~ " when 'abuse' then 'email_abuse_reported'"
                ~ " else 'email_' || email_activity.action end",
            'record_key': "'mailchimp/members/' || email_activity.unique_email_id",
            'direction': "case when email_activity.action in ('sent', 'bounce')"
                ~ " then 'outbound' else 'inbound' end",
            'trigger_kind': "case email_activity.action when 'sent' then 'campaign'"
                ~ " when 'bounce' then 'system' else 'customer' end",
            'channel': "'email'",
            'department_key': "'marketing'",
            'campaign_id': 'email_activity.campaign_id',
            'load_number': 'email_activity.load_number',
            'occurred_at': 'email_activity.occurred_at',
            'known_at': 'email_activity.received_at',
        }) }}
    from email_activity
)

select * from activity_described
