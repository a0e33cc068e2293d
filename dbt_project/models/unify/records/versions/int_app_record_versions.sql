-- one row per identify call that names a user, and per user of a stream without such calls
with

events as (
    {{- stacked_app_events() }}
),

identify_calls as (
    select
        events.source,
        events.user_id,
        {{ json_text('events.traits', 'email') }} as email,
        {{ json_text('events.traits', 'phone') }} as phone,
        {{ json_text('events.traits', 'first_name') }} as first_name,
        {{ json_text('events.traits', 'last_name') }} as last_name,
        {{ json_text('events.traits', 'plan') }} as plan,
        {{ json_text('events.traits', 'company') }} as company_name,
        try_cast({{ json_text('events.traits', 'created_at') }} as timestamp)
            as registered_at,
        events.load_number,
        events.row_hash,
        {{ clock_corrected(
            'events.original_at',
            'events.sent_at',
            'events.segment_received_at',
            'events.event_at',
        ) }} as occurred_at,
        events.received_at,
    from events
    where
        events.type = 'identify'
        and events.user_id is not null
),

-- A stream that holds actions alone tells of a user only that there is one.
users_seen as (
    select
        events.source,
        events.user_id,
        cast(null as {{ dbt.type_string() }}) as email,
        cast(null as {{ dbt.type_string() }}) as phone,
        cast(null as {{ dbt.type_string() }}) as first_name,
        cast(null as {{ dbt.type_string() }}) as last_name,
        cast(null as {{ dbt.type_string() }}) as plan,
        cast(null as {{ dbt.type_string() }}) as company_name,
        cast(null as timestamp) as registered_at,
        max(events.load_number) as load_number,
        events.user_id as row_hash,
        min(
            {{ clock_corrected(
                'events.original_at',
                'events.sent_at',
                'events.segment_received_at',
                'events.event_at',
            ) }}
        ) as occurred_at,
        min(events.received_at) as received_at,
    from events
    where
        events.type = 'action'
        and events.user_id is not null
    group by events.source, events.user_id
),

-- Some say an address with the actions: a version of the user for each that they bore.
addresses_seen as (
    select
        events.source,
        events.user_id,
        events.email,
        cast(null as {{ dbt.type_string() }}) as phone,
        cast(null as {{ dbt.type_string() }}) as first_name,
        cast(null as {{ dbt.type_string() }}) as last_name,
        cast(null as {{ dbt.type_string() }}) as plan,
        cast(null as {{ dbt.type_string() }}) as company_name,
        cast(null as timestamp) as registered_at,
        max(events.load_number) as load_number,
        -- of one instant, the version with the address is the later one
        events.user_id || '/' || events.email as row_hash,
        min(
            {{ clock_corrected(
                'events.original_at',
                'events.sent_at',
                'events.segment_received_at',
                'events.event_at',
            ) }}
        ) as occurred_at,
        min(events.received_at) as received_at,
    from events
    where
        events.type = 'action'
        and events.user_id is not null
        and events.email is not null
    group by events.source, events.user_id, events.email
),

versions_stacked as (
    select * from identify_calls
    union all
    select * from users_seen
    union all
    select * from addresses_seen
),

record_versions as (
    select
        {{- record_version_columns({
            'record_key': "versions_stacked.source || '/users/' || versions_stacked.user_id",
            'source': 'versions_stacked.source',
            'entity': "'users'",
            'record_id': 'versions_stacked.user_id',
            'user_id': 'versions_stacked.user_id',
            'email': 'versions_stacked.email',
            'phone': 'versions_stacked.phone',
            'first_name': 'versions_stacked.first_name',
            'last_name': 'versions_stacked.last_name',
            'company_name': 'versions_stacked.company_name',
            'plan': 'versions_stacked.plan',
            'load_number': 'versions_stacked.load_number',
            'is_staff_role': 'false',
            'is_archived': 'false',
            'registered_at': 'versions_stacked.registered_at',
            'created_at': 'versions_stacked.occurred_at',
            'version_at': 'versions_stacked.occurred_at',
            'received_at': 'versions_stacked.received_at',
            'version_hash': 'versions_stacked.row_hash',
        }) }}
    from versions_stacked
)

select * from record_versions
