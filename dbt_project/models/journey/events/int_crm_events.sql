-- one row per call or meeting with a contact, from all of its versions
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='touchpoint_id',
    on_schema_change='fail',
) }}

with

calls as (
    select
        call_id as activity_id,
        owner_id,
        contact_id,
        direction,
        duration_milliseconds / 1000 as handling_seconds,
        occurred_at,
        updated_at,
        received_at,
        load_number,
        row_hash,
    from {{ ref('stg_hubspot__calls') }} as calls
    where {{ newly_versioned('calls.call_id', ref('stg_hubspot__calls')) }}
),

meetings as (
    select
        meeting_id as activity_id,
        owner_id,
        contact_id,
        {{ seconds_between('meetings.start_at', 'meetings.end_at') }} as handling_seconds,
        start_at,
        updated_at,
        received_at,
        load_number,
        row_hash,
    from {{ ref('stg_hubspot__meetings') }} as meetings
    where {{ newly_versioned('meetings.meeting_id', ref('stg_hubspot__meetings')) }}
),

activities_stacked as (
    select
        'calls' as entity,
        'call_held' as touchpoint_type,
        'phone' as channel,
        calls.activity_id,
        calls.owner_id,
        calls.contact_id,
        lower(calls.direction) as direction,
        calls.handling_seconds,
        calls.occurred_at,
        calls.updated_at,
        calls.received_at,
        calls.load_number,
        calls.row_hash,
    from calls
    union all
    select
        'meetings' as entity,
        'meeting_held' as touchpoint_type,
        'meeting' as channel,
        meetings.activity_id,
        meetings.owner_id,
        meetings.contact_id,
        'outbound' as direction,
        meetings.handling_seconds,
        meetings.start_at as occurred_at,
        meetings.updated_at,
        meetings.received_at,
        meetings.load_number,
        meetings.row_hash,
    from meetings
),

activities_ranked as (
    select
        activities_stacked.*,
        min(activities_stacked.received_at) over (
            partition by activities_stacked.entity, activities_stacked.activity_id
        ) as first_received_at,
        max(activities_stacked.load_number) over (
            partition by activities_stacked.entity, activities_stacked.activity_id
        ) as last_load_number,
        row_number() over (
            partition by activities_stacked.entity, activities_stacked.activity_id
            order by
                activities_stacked.updated_at desc nulls last,
                activities_stacked.row_hash desc nulls last
        ) as newest_first,
    from activities_stacked
),

activities_described as (
    select
        {{ event_columns({
            'touchpoint_id': pseudonym(
                "'hubspot/' || activities_ranked.entity || '/' || activities_ranked.activity_id"
            ),
            'source': "'hubspot'",
            'touchpoint_type': 'activities_ranked.touchpoint_type',
            'record_key': "'hubspot/contacts/' || activities_ranked.contact_id",
            'direction': 'activities_ranked.direction',
            'trigger_kind': "case activities_ranked.direction when 'inbound' then 'customer'"
                ~ " else 'agent' end",
            'channel': 'activities_ranked.channel',
            'department_key': "'hubspot/owners/' || activities_ranked.owner_id",
            'agent_key': "'hubspot/owners/' || activities_ranked.owner_id",
            'load_number': 'activities_ranked.last_load_number',
            'handling_seconds': 'floor(activities_ranked.handling_seconds)',
            'occurred_at': 'activities_ranked.occurred_at',
            'known_at': 'activities_ranked.first_received_at',
        }) }}
    from activities_ranked
    where activities_ranked.newest_first = 1
)

select * from activities_described
