-- one row per session: a customer's visits with pauses of at most 30 minutes
{{ config(
    materialized='incremental',
    incremental_strategy='touched_customers',
    tags=['customer_grain'],
    on_schema_change='fail',
    persist_docs={'relation': false, 'columns': false},
) }}

with

session_touchpoints as (
    select session_id, customer_id, device_type, channel, is_first, occurred_at
    from {{ ref('int_session_touchpoints') }}
    where {{ touched_customers_filter('customer_id') }}
),

sessions as (
    select
        session_touchpoints.session_id,
        session_touchpoints.customer_id,
        cast(
            max(case when session_touchpoints.is_first then session_touchpoints.channel end)
            as {{ dbt.type_string() }}
        ) as entry_channel,
        cast(
            max(case when session_touchpoints.is_first then session_touchpoints.device_type end)
            as {{ dbt.type_string() }}
        ) as device_type,
        cast(count(*) as bigint) as touchpoint_count,
        cast(
            floor(
                {{ seconds_between(
                    'min(session_touchpoints.occurred_at)',
                    'max(session_touchpoints.occurred_at)',
                ) }}
            ) as bigint
        ) as duration_seconds,
        min(session_touchpoints.occurred_at) as started_at,
        max(session_touchpoints.occurred_at) as ended_at,
    from session_touchpoints
    group by session_touchpoints.session_id, session_touchpoints.customer_id
),

sessions_hashed as (
    select
        sessions.*,
        {{ row_hash() }} as row_hash,
    from sessions
)

select * from sessions_hashed
