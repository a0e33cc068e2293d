-- one row per touchpoint of a session
{{ config(
    materialized='incremental',
    incremental_strategy='touched_customers',
    tags=['customer_grain'],
    on_schema_change='fail',
) }}

with

-- What the company or its systems did (a push sent, an invoice) is no visit.
app_events as (
    select touchpoint_id, device_type, channel, occurred_at
    from {{ ref('int_app_events') }}
    where trigger_kind = 'customer'
),

event_owners as (
    select touchpoint_id, owner_record_key from {{ ref('int_event_owners') }}
),

customer_records as (
    select record_key, customer_id
    from {{ ref('stg_identity__customer_records') }}
    where
        customer_id is not null
        and {{ touched_customers_filter('customer_id') }}
),

visits as (
    select
        app_events.touchpoint_id,
        customer_records.customer_id,
        app_events.device_type,
        app_events.channel,
        app_events.occurred_at,
    from app_events
    inner join event_owners on app_events.touchpoint_id = event_owners.touchpoint_id
    inner join customer_records
        on event_owners.owner_record_key = customer_records.record_key
),

visits_beside_previous as (
    select
        visits.*,
        lag(visits.occurred_at) over (
            partition by visits.customer_id
            order by visits.occurred_at nulls last, visits.touchpoint_id nulls last
        ) as previous_at,
    from visits
),

-- A pause longer than the gap ends a session; a pause of exactly the gap does not.
visits_numbered as (
    select
        visits_beside_previous.*,
        sum(
            case
                when
                    visits_beside_previous.previous_at is null
                    or visits_beside_previous.occurred_at
                    > {{ add_interval(
                        'visits_beside_previous.previous_at',
                        var('session_gap_minutes', 30),
                        'minute',
                    ) }}
                    then 1
                else 0
            end
        ) over (
            partition by visits_beside_previous.customer_id
            order by
                visits_beside_previous.occurred_at nulls last,
                visits_beside_previous.touchpoint_id nulls last
            rows between unbounded preceding and current row
        ) as session_number,
    from visits_beside_previous
),

-- The session's id comes from its first touchpoint alone, so that it outlives a customer's id.
visits_beside_first as (
    select
        visits_numbered.*,
        first_value(visits_numbered.touchpoint_id) over (
            partition by visits_numbered.customer_id, visits_numbered.session_number
            order by
                visits_numbered.occurred_at nulls last,
                visits_numbered.touchpoint_id nulls last
            rows between unbounded preceding and unbounded following
        ) as first_touchpoint_id,
    from visits_numbered
),

session_touchpoints as (
    select
        visits_beside_first.touchpoint_id,
        {{ stable_hash(["'session'", 'visits_beside_first.first_touchpoint_id']) }}
            as session_id,
        visits_beside_first.customer_id,
        visits_beside_first.device_type,
        visits_beside_first.channel,
        visits_beside_first.touchpoint_id = visits_beside_first.first_touchpoint_id
            as is_first,
        visits_beside_first.occurred_at,
    from visits_beside_first
)

select * from session_touchpoints
