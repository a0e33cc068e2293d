-- one row per identify call of a known user on a known device
{{ config(materialized='incremental', incremental_strategy='append', on_schema_change='fail') }}

with

identify_calls as (
    {%- for model in var('app_event_models', ['stg_segment__events']) %}
    select
        '{{ model.split("__")[0] | replace("stg_", "") }}' as source,
        message_id,
        anonymous_id,
        user_id,
        original_at,
        sent_at,
        segment_received_at,
        event_at,
        received_at,
        load_number,
    from {{ ref(model) }}
    where
        type = 'identify'
        and anonymous_id is not null
        and user_id is not null
        and {{ newly_loaded('load_number') }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

logins_dated as (
    select
        identify_calls.source,
        identify_calls.message_id,
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
