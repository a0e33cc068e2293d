-- one row per touchpoint of a customer
{{ config(
    materialized='incremental',
    incremental_strategy='touched_customers',
    tags=['customer_grain'],
    on_schema_change='fail',
    persist_docs={'relation': false, 'columns': false},
) }}
{%- set text = dbt.type_string() %}

with

events as (
    select * from {{ ref('int_events') }}
),

event_owners as (
    select touchpoint_id, owner_record_key, owned_by from {{ ref('int_event_owners') }}
),

customer_records as (
    select record_key, customer_id
    from {{ ref('stg_identity__customer_records') }}
    where
        customer_id is not null
        and {{ touched_customers_filter('customer_id') }}
),

session_touchpoints as (
    select touchpoint_id, session_id from {{ ref('int_session_touchpoints') }}
),

touchpoint_accounts as (
    select touchpoint_id, account_id from {{ ref('int_touchpoint_accounts') }}
),

departments as (
    select department_key, department from {{ ref('int_departments_named') }}
),

campaign_contents as (
    select campaign_id, content_id from {{ ref('int_campaign_contents') }}
),

-- A comment speaks for the customer unless it is theirs only because the ticket is.
events_directed as (
    select
        events.*,
        customer_records.customer_id,
        coalesce(
            events.direction,
            case event_owners.owned_by when 'ticket_requester' then 'outbound' else 'inbound' end
        ) as known_direction,
        coalesce(
            events.trigger_kind,
            case event_owners.owned_by when 'ticket_requester' then 'agent' else 'customer' end
        ) as known_trigger_kind,
        case
            when
                events.touchpoint_type <> 'ticket_commented'
                or event_owners.owned_by = 'ticket_requester'
                then events.agent_key
        end as known_agent_key,
    from events
    inner join event_owners on events.touchpoint_id = event_owners.touchpoint_id
    inner join customer_records
        on event_owners.owner_record_key = customer_records.record_key
),

touchpoints as (
    select
        events_directed.touchpoint_id,
        cast(events_directed.customer_id as {{ text }}) as customer_id,
        cast(touchpoint_accounts.account_id as {{ text }}) as account_id,
        session_touchpoints.session_id,
        events_directed.source,
        events_directed.touchpoint_type,
        events_directed.occurred_at,
        events_directed.known_at,
        cast(events_directed.known_direction as {{ text }}) as direction,
        cast(events_directed.known_trigger_kind as {{ text }}) as trigger_kind,
        cast('{{ var("brand", "main") }}' as {{ text }}) as brand,
        events_directed.region,
        events_directed.channel,
        events_directed.device_type,
        {{ pseudonym('events_directed.anonymous_id') }} as device_pseudonym,
        events_directed.app_version,
        cast(
            case
                when departments.department is not null then departments.department
                when events_directed.department_key like 'zendesk/%' then 'support'
                when events_directed.department_key like 'hubspot/%' then 'sales'
                else events_directed.department_key
            end as {{ text }}
        ) as department,
        {{ pseudonym('events_directed.known_agent_key') }} as agent_pseudonym,
        events_directed.campaign_id,
        campaign_contents.content_id,
        cast(null as {{ text }}) as offer_id,
        events_directed.feature_id,
        events_directed.error_code,
        events_directed.experiment_arm,
        events_directed.ticket_id,
        events_directed.order_id,
        events_directed.subscription_id,
        events_directed.deal_id,
        events_directed.value_amount,
        events_directed.cost_amount,
        events_directed.original_amount,
        events_directed.currency,
        events_directed.handling_seconds,
    from events_directed
    left join session_touchpoints
        on events_directed.touchpoint_id = session_touchpoints.touchpoint_id
    left join touchpoint_accounts
        on events_directed.touchpoint_id = touchpoint_accounts.touchpoint_id
    left join departments
        on events_directed.department_key = departments.department_key
    left join campaign_contents
        on events_directed.campaign_id = campaign_contents.campaign_id
),

touchpoints_hashed as (
    select
        touchpoints.*,
        {{ row_hash() }} as row_hash,
    from touchpoints
)

select * from touchpoints_hashed
