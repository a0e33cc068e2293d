-- one row per voice of a record, purpose, channel and time at which it said something else
with

record_versions as (
    select record_key, source, subscription_status, version_at
    from {{ ref('int_record_versions') }}
    where subscription_status is not null
),

email_events as (
    select touchpoint_id, source, touchpoint_type, occurred_at
    from {{ ref('int_email_events') }}
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

events_stacked as (
    select
        touchpoint_id,
        source,
        cast(null as {{ dbt.type_string() }}) as anonymous_id,
        touchpoint_type,
        'email' as channel,
        occurred_at,
    from email_events
    union all
    select touchpoint_id, source, anonymous_id, touchpoint_type, 'push', occurred_at
    from app_events
),

-- As touchpoints have it: an event that names but an address is of the record that bears it. On
-- another sender's list a record does not speak: what it says itself lifts nothing there.
events_owned as (
    select
        event_owners.owner_record_key as record_key,
        events_stacked.source,
        event_owners.owner_record_key
        || case
            when split_part(event_owners.owner_record_key, '/', 1) <> events_stacked.source
                then '|' || events_stacked.source
            else ''
        end
        || case
            when events_stacked.channel = 'push'
                then '|' || coalesce(events_stacked.anonymous_id, '')
            when events_stacked.touchpoint_type = 'email_abuse_reported' then '|complaint'
            else ''
        end as voice,
        events_stacked.channel,
        case events_stacked.touchpoint_type
            when 'push_enabled' then 'granted' else 'withdrawn'
        end as state,
        events_stacked.occurred_at as said_at,
    from events_stacked
    inner join event_owners on events_stacked.touchpoint_id = event_owners.touchpoint_id
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
-- no later edit of the record takes back. An address that bounces or is archived says nothing of
-- consent; one that gets only what it ordered (transactional) has not said yes.
statements_stacked as (
    select
        record_versions.record_key,
        record_versions.source,
        record_versions.record_key as voice,
        'marketing' as purpose,
        'email' as channel,
        case record_versions.subscription_status
            when 'subscribed' then 'granted'
            when 'unsubscribed' then 'withdrawn'
            else 'pending'
        end as state,
        record_versions.version_at as said_at,
    from record_versions
    where
        record_versions.subscription_status
        in ('subscribed', 'pending', 'transactional', 'unsubscribed')
    union all
    select
        events_owned.record_key,
        events_owned.source,
        events_owned.voice,
        'marketing',
        events_owned.channel,
        events_owned.state,
        events_owned.said_at,
    from events_owned
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
