-- one row per identify call, or action of a stream, of a known user on a known device
{{ config(materialized='incremental', incremental_strategy='append', on_schema_change='fail') }}

with

events as (
    {{- stacked_app_events() }}
),

-- A stream that has no identify calls says with each action who is logged in.
identify_calls as (
    select
        events.*,
        case events.type when 'action' then events.row_hash else events.message_id end
            as login_id,
    from events
    where
        type in ('identify', 'action')
        and anonymous_id is not null
        and user_id is not null
        and {{ newly_loaded('load_number') }}
),

logins_dated as (
    select
        identify_calls.source,
        identify_calls.login_id as message_id,
        identify_calls.anonymous_id,
        identify_calls.source || '/users/' || identify_calls.user_id as owner_record_key,
        identify_calls.load_number,
        {{ clock_corrected(
            'identify_calls.original_at',
            'identify_calls.sent_at',
            'identify_calls.segment_received_at',
            'identify_calls.event_at',
        ) }} as logged_in_at,
        identify_calls.received_at as known_at,
    from identify_calls
)

select * from logins_dated
