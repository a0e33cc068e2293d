-- one row per touchpoint that belongs to no customer
with

events as (
    select
        touchpoint_id,
        source,
        touchpoint_type,
        anonymous_id,
        channel,
        device_type,
        app_version,
        campaign_id,
        occurred_at,
        known_at,
    from {{ ref('int_events') }}
),

event_owners as (
    select touchpoint_id, owner_record_key, owned_by from {{ ref('int_event_owners') }}
),

customer_records as (
    select record_key, customer_id
    from {{ ref('stg_identity__customer_records') }}
    where customer_id is not null
),

-- The complement of fct_touchpoints: nothing lost, nothing doubled.
touchpoints_unattributed as (
    select
        events.touchpoint_id,
        events.source,
        events.touchpoint_type,
        cast(
            case
                when event_owners.owner_record_key is null then event_owners.owned_by
                else 'no_customer_id'
            end as {{ dbt.type_string() }}
        ) as reason,
        events.occurred_at,
        events.known_at,
        events.channel,
        events.device_type,
        {{ pseudonym('events.anonymous_id') }} as device_pseudonym,
        events.app_version,
        events.campaign_id,
    from events
    inner join event_owners on events.touchpoint_id = event_owners.touchpoint_id
    left join customer_records
        on event_owners.owner_record_key = customer_records.record_key
    where customer_records.customer_id is null
)

select * from touchpoints_unattributed
