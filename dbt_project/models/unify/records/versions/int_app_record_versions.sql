-- one row per identify call of the app's tracking library that names a user
with

events as (
    {%- for model in var('app_event_models', ['stg_segment__events']) %}
    select
        '{{ model.split("__")[0] | replace("stg_", "") }}' as source,
        user_id,
        traits,
        load_number,
        row_hash,
        original_at,
        sent_at,
        segment_received_at,
        event_at,
        received_at,
    from {{ ref(model) }}
    where
        type = 'identify'
        and user_id is not null
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
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
),

record_versions as (
    select
        {{- record_version_columns({
            'record_key': "identify_calls.source || '/users/' || identify_calls.user_id",
            'source': 'identify_calls.source',
            'entity': "'users'",
            'record_id': 'identify_calls.user_id',
            'user_id': 'identify_calls.user_id',
            'email': 'identify_calls.email',
            'phone': 'identify_calls.phone',
            'first_name': 'identify_calls.first_name',
            'last_name': 'identify_calls.last_name',
            'plan': 'identify_calls.plan',
            'load_number': 'identify_calls.load_number',
            'is_staff_role': 'false',
            'is_archived': 'false',
            'created_at': 'identify_calls.occurred_at',
            'version_at': 'identify_calls.occurred_at',
            'received_at': 'identify_calls.received_at',
            'version_hash': 'identify_calls.row_hash',
        }) }}
    from identify_calls
)

select * from record_versions
