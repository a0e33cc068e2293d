-- one row per support ticket, from all of its versions
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['source', 'ticket_id'],
    on_schema_change='fail',
) }}

with

delivered_tickets as (
    {{- stacked_support_tickets() }}
),

ticket_versions as (
    select
        tickets.*,
        case when tickets.is_deleted then 'deleted' else tickets.status end as ticket_status,
    from delivered_tickets as tickets
    where {{ newly_versioned('tickets.ticket_id', 'delivered_tickets') }}
),

currency_rates as (
    select currency, rate, valid_from, valid_to from {{ ref('int_currency_rates_dated') }}
),

-- Who asked, when and where never changes: the first version says it. What was done about it
-- is the newest version's.
versions_ranked as (
    select
        ticket_versions.*,
        row_number() over (
            partition by ticket_versions.source, ticket_versions.ticket_id
            order by ticket_versions.updated_at nulls last, ticket_versions.row_hash nulls last
        ) as version_number,
        count(*) over (
            partition by ticket_versions.source, ticket_versions.ticket_id
        ) as version_count,
        min(ticket_versions.received_at) over (
            partition by ticket_versions.source, ticket_versions.ticket_id
        ) as first_received_at,
        max(ticket_versions.load_number) over (
            partition by ticket_versions.source, ticket_versions.ticket_id
        ) as last_load_number,
    from ticket_versions
),

first_versions as (
    select source, ticket_id, requester_entity, requester_id, channel, created_at
    from versions_ranked
    where version_number = 1
),

last_versions as (
    select
        source,
        ticket_id,
        assignee_id,
        group_id,
        department,
        ticket_status,
        handling_minutes,
        refund_amount,
        refund_currency,
        cancel_reason,
        first_received_at,
        last_load_number,
    from versions_ranked
    where version_number = version_count
),

tickets_combined as (
    select
        last_versions.source,
        last_versions.ticket_id,
        first_versions.source || '/' || first_versions.requester_entity
        || '/' || first_versions.requester_id as requester_record_key,
        last_versions.source || '/users/' || last_versions.assignee_id as agent_key,
        coalesce(
            last_versions.source || '/groups/' || last_versions.group_id,
            last_versions.department
        ) as department_key,
        case first_versions.channel when 'voice' then 'phone' else first_versions.channel end
            as channel,
        last_versions.ticket_status as status,
        last_versions.cancel_reason,
        cast(last_versions.last_load_number as integer) as load_number,
        cast(
            {{ at_rate('last_versions.refund_amount', 'currency_rates.rate') }} as decimal(18, 2)
        ) as refund_amount,
        last_versions.refund_amount as original_amount,
        last_versions.refund_currency as currency,
        cast(last_versions.handling_minutes * 60 as bigint) as handling_seconds,
        first_versions.created_at as opened_at,
        last_versions.first_received_at as known_at,
    from last_versions
    inner join first_versions
        on
            last_versions.source = first_versions.source
            and last_versions.ticket_id = first_versions.ticket_id
    left join currency_rates
        on
            last_versions.refund_currency = currency_rates.currency
            and cast(first_versions.created_at as date) >= currency_rates.valid_from
            and cast(first_versions.created_at as date) < currency_rates.valid_to
)

select * from tickets_combined
