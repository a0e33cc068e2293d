-- one row per step of the company behind a ticket: a field changed, an internal comment
{{ config(materialized='incremental', incremental_strategy='append', on_schema_change='fail') }}

with

ticket_events as (
    select
        ticket_event_id,
        ticket_id,
        updater_id,
        event_type,
        field_name,
        value,
        previous_value,
        created_at,
        received_at,
        load_number,
    from {{ ref('stg_zendesk__ticket_events') }}
    where {{ newly_loaded() }}
),

delivered_comments as (
    {{- stacked_ticket_comments() }}
),

internal_comments as (
    select *
    from delivered_comments
    where
        -- a comment that does not say whether the customer sees it is taken for an internal one
        not coalesce(is_public, false)
        and {{ newly_loaded() }}
),

changes as (
    select
        {{ pseudonym("'zendesk/ticket_events/' || ticket_events.ticket_event_id") }} as step_id,
        cast('zendesk' as {{ dbt.type_string() }}) as source,
        ticket_events.ticket_id,
        case
            when
                ticket_events.field_name = 'group_id'
                and coalesce(ticket_events.previous_value, '') <> ''
                then 'handed_off'
            when ticket_events.field_name = 'group_id' then 'routed'
            when
                ticket_events.field_name = 'assignee_id'
                and coalesce(ticket_events.previous_value, '') <> ''
                then 'reassigned'
            when ticket_events.field_name = 'assignee_id' then 'assigned'
            -- a creation comes as the first value of each field: the status stands for it
            when
                ticket_events.event_type = 'Create'
                and coalesce(ticket_events.field_name, 'status') = 'status'
                then 'created'
            when
                ticket_events.field_name = 'status' and ticket_events.value in ('pending', 'hold')
                then 'wait_started'
            when
                ticket_events.field_name = 'status' and ticket_events.value in ('solved', 'closed')
                then ticket_events.value
            when ticket_events.field_name = 'status' then 'status_changed'
            when ticket_events.event_type = 'Comment' then 'commented'
            else 'field_changed'
        end as step_type,
        case
            when ticket_events.field_name = 'group_id'
                then 'zendesk/groups/' || nullif(ticket_events.value, '')
        end as department_key,
        case
            when ticket_events.field_name = 'group_id'
                then 'zendesk/groups/' || nullif(ticket_events.previous_value, '')
        end as from_department_key,
        'zendesk/users/' || case
            when ticket_events.field_name = 'assignee_id' then nullif(ticket_events.value, '')
            else ticket_events.updater_id
        end as agent_key,
        ticket_events.load_number,
        ticket_events.created_at as occurred_at,
        ticket_events.received_at as known_at,
    from ticket_events
),

comments as (
    select
        {{ pseudonym(
            "internal_comments.source || '/' || internal_comments.entity"
            ~ " || '/' || internal_comments.comment_id"
        ) }} as step_id,
        internal_comments.source,
        internal_comments.ticket_id,
        internal_comments.step_type,
        cast(null as {{ dbt.type_string() }}) as department_key,
        cast(null as {{ dbt.type_string() }}) as from_department_key,
        internal_comments.source || '/' || internal_comments.author_entity
        || '/' || internal_comments.author_id as agent_key,
        internal_comments.load_number,
        internal_comments.created_at as occurred_at,
        internal_comments.received_at as known_at,
    from internal_comments
),

steps_stacked as (
    select * from changes
    union all
    select * from comments
)

select * from steps_stacked
