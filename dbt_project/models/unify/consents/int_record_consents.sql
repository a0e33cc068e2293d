-- one row per voice of a record, purpose, channel and time at which it said something else
with

record_versions as (
    select record_key, source, subscription_status, version_at
    from {{ ref('int_record_versions') }}
    where subscription_status is not null
),

email_events as (
    select record_key, source, touchpoint_type, occurred_at from {{ ref('int_email_events') }}
    where touchpoint_type in ('email_unsubscribed', 'email_abuse_reported')
),

app_events as (
    select touchpoint_id, source, anonymous_id, touchpoint_type, occurred_at
    from {{ ref('int_app_events') }}
    where touchpoint_type in ('push_enabled', 'push_disabled')
),

event_owners as (
    select touchpoint_id, owner_record_key from {{ ref('int_event_owners') }}
    where owner_record_key is not null
),

app_consents as (
    select * from {{ ref('int_app_consents') }}
),

-- whatever came in however many loads: within a day the most restrictive word counts
app_consents_by_day as (
    select
        app_consents.source,
        app_consents.record_key,
        app_consents.anonymous_id,
        app_consents.channel,
        app_consents.said_date,
        min(app_consents.first_granted_at) as first_granted_at,
        min(app_consents.first_withdrawn_at) as first_withdrawn_at,
    from app_consents
    group by
        app_consents.source,
        app_consents.record_key,
        app_consents.anonymous_id,
        app_consents.channel,
        app_consents.said_date
),

-- An address speaks for itself, and so does a device. A complaint is a voice of its own, which
-- no later edit of the record takes back. An address that bounces says nothing of consent.
statements_stacked as (
    select
        record_versions.record_key,
        record_versions.source,
        record_versions.record_key as voice,
        'marketing' as purpose,
        'email' as channel,
        case record_versions.subscription_status
            when 'subscribed' then 'granted'
            when 'pending' then 'pending'
            when 'unsubscribed' then 'withdrawn'
        end as state,
        record_versions.version_at as said_at,
    from record_versions
    where record_versions.subscription_status in ('subscribed', 'pending', 'unsubscribed')
    union all
    select
        email_events.record_key,
        email_events.source,
        case
            when email_events.touchpoint_type = 'email_abuse_reported'
                then email_events.record_key || '|complaint'
            else email_events.record_key
        end as voice,
        'marketing',
        'email',
        'withdrawn',
        email_events.occurred_at,
    from email_events
    union all
    select
        event_owners.owner_record_key,
        app_events.source,
        event_owners.owner_record_key || '|' || coalesce(app_events.anonymous_id, ''),
        'marketing',
        'push',
        case when app_events.touchpoint_type = 'push_enabled' then 'granted' else 'withdrawn' end,
        app_events.occurred_at,
    from app_events
    inner join event_owners on app_events.touchpoint_id = event_owners.touchpoint_id
    union all
    select
        app_consents_by_day.record_key,
        app_consents_by_day.source,
        app_consents_by_day.record_key || '|' || app_consents_by_day.anonymous_id,
        'analytics',
        app_consents_by_day.channel,
        case
            when app_consents_by_day.first_withdrawn_at is null then 'granted' else 'withdrawn'
        end,
        coalesce(app_consents_by_day.first_withdrawn_at, app_consents_by_day.first_granted_at),
    from app_consents_by_day
),

-- of two words at one time the more restrictive is heard: withdrawn, pending, granted
statements as (
    select
        statements_stacked.record_key,
        statements_stacked.source,
        statements_stacked.voice,
        statements_stacked.purpose,
        statements_stacked.channel,
        max(statements_stacked.state) as state,
        statements_stacked.said_at,
    from statements_stacked
    group by
        statements_stacked.record_key,
        statements_stacked.source,
        statements_stacked.voice,
        statements_stacked.purpose,
        statements_stacked.channel,
        statements_stacked.said_at
),

statements_beside_previous as (
    select
        statements.*,
        lag(statements.state) over (
            partition by statements.voice, statements.purpose, statements.channel
            order by statements.said_at nulls last
        ) as previous_state,
    from statements
),

statements_changed as (
    select * from statements_beside_previous
    where
        previous_state is null
        or previous_state <> state
),

record_consents as (
    select
        statements_changed.record_key,
        statements_changed.source,
        statements_changed.voice,
        statements_changed.purpose,
        statements_changed.channel,
        statements_changed.state,
        statements_changed.said_at as valid_from,
        lead(statements_changed.said_at) over (
            partition by
                statements_changed.voice, statements_changed.purpose, statements_changed.channel
            order by statements_changed.said_at nulls last
        ) as valid_to,
    from statements_changed
)

select * from record_consents
