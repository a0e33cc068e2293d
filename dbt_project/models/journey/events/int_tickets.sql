-- one row per support ticket, from all of its versions
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='ticket_id',
    on_schema_change='fail',
) }}

with

ticket_versions as (
    select
        ticket_id,
        requester_id,
        assignee_id,
        group_id,
        status,
        channel,
        handling_minutes,
        refund_amount,
        refund_currency,
        cancel_reason,
        created_at,
        updated_at,
        received_at,
        load_number,
        row_hash,
    from {{ ref('stg_zendesk__tickets') }} as tickets
    where {{ newly_versioned('tickets.ticket_id', ref('stg_zendesk__tickets')) }}
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
            partition by ticket_versions.ticket_id
            order by ticket_versions.updated_at nulls last, ticket_versions.row_hash nulls last
        ) as version_number,
        count(*) over (partition by ticket_versions.ticket_id) as version_count,
        min(ticket_versions.received_at) over (
            partition by ticket_versions.ticket_id
        ) as first_received_at,
        max(ticket_versions.load_number) over (
            partition by ticket_versions.ticket_id
        ) as last_load_number,
    from ticket_versions
),

first_versions as (
    select ticket_id, requester_id, channel, created_at
    from versions_ranked
    where version_number = 1
),

last_versions as (
    select
        ticket_id,
        assignee_id,
        group_id,
        status,
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
        last_versions.ticket_id,
        'zendesk/users/' || first_versions.requester_id as requester_record_key,
        'zendesk/users/' || last_versions.assignee_id as agent_key,
        'zendesk/groups/' || last_versions.group_id as department_key,
        case first_versions.channel when 'voice' then 'phone' else first_versions.channel end
            as channel,
        last_versions.status,
        last_versions.cancel_reason,
        cast(last_versions.last_load_number as integer) as load_number,
        cast(last_versions.refund_amount * currency_rates.rate as decimal(18, 2))
            as refund_amount,
        last_versions.refund_amount as original_amount,
        last_versions.refund_currency as currency,
        cast(last_versions.handling_minutes * 60 as bigint) as handling_seconds,
        first_versions.created_at as opened_at,
        last_versions.first_received_at as known_at,
    from last_versions
    inner join first_versions on last_versions.ticket_id = first_versions.ticket_id
    left join currency_rates
        on
            last_versions.refund_currency = currency_rates.currency
            and cast(first_versions.created_at as date) >= currency_rates.valid_from
            and cast(first_versions.created_at as date) < currency_rates.valid_to
)

select * from tickets_combined
