-- one row per record whose touchpoints or service steps may have changed, with the newest load
with

event_owners as (
    select concerned_record_key, load_number from {{ ref('int_event_owners') }}
),

device_ownership as (
    select owner_record_key, load_number from {{ ref('int_device_ownership') }}
),

email_owners as (
    select email, load_number from {{ ref('int_email_owners') }} where source = '*'
),

record_identifiers as (
    select record_key, identifier_value
    from {{ ref('int_record_identifiers') }}
    where identifier_type = 'email'
),

service_steps as (
    select source, ticket_id, department_key, from_department_key, load_number
    from {{ ref('int_service_steps') }}
),

tickets as (
    select source, ticket_id, requester_record_key, load_number
    from {{ ref('int_tickets') }}
),

ticket_versions as (
    {{- stacked_support_tickets() }}
),

call_versions as (
    select call_id, contact_id, load_number from {{ ref('stg_hubspot__calls') }}
),

meeting_versions as (
    select meeting_id, contact_id, load_number from {{ ref('stg_hubspot__meetings') }}
),

deal_versions as (
    {{- stacked_crm_deals() }}
),

departments as (
    select department_key, load_number from {{ ref('int_departments_named') }}
),

last_call_loads as (
    select call_id, max(load_number) as load_number from call_versions group by call_id
),

last_meeting_loads as (
    select meeting_id, max(load_number) as load_number from meeting_versions group by meeting_id
),

last_deal_loads as (
    select source, deal_id, max(load_number) as load_number
    from deal_versions
    group by source, deal_id
),

service_steps_dated as (
    select
        service_steps.source,
        service_steps.ticket_id,
        greatest(
            service_steps.load_number,
            coalesce(departments.load_number, 0),
            coalesce(from_departments.load_number, 0)
        ) as load_number,
    from service_steps
    left join departments
        on service_steps.department_key = departments.department_key
    left join departments as from_departments
        on service_steps.from_department_key = from_departments.department_key
),

-- Besides today's owners: everyone whom an earlier version of the same thing named, because
-- they lose what the newer version gives to another one.
changes_stacked as (
    select
        event_owners.concerned_record_key as owner_record_key,
        event_owners.load_number,
    from event_owners
    where event_owners.concerned_record_key is not null
    union all
    select device_ownership.owner_record_key, device_ownership.load_number
    from device_ownership
    union all
    select record_identifiers.record_key as owner_record_key, email_owners.load_number
    from email_owners
    inner join record_identifiers
        on email_owners.email = record_identifiers.identifier_value
    union all
    select tickets.requester_record_key as owner_record_key, service_steps_dated.load_number
    from service_steps_dated
    inner join tickets
        on
            service_steps_dated.source = tickets.source
            and service_steps_dated.ticket_id = tickets.ticket_id
    union all
    select
        ticket_versions.source || '/' || ticket_versions.requester_entity
        || '/' || ticket_versions.requester_id as owner_record_key,
        tickets.load_number,
    from ticket_versions
    inner join tickets
        on
            ticket_versions.source = tickets.source
            and ticket_versions.ticket_id = tickets.ticket_id
    union all
    select
        'hubspot/contacts/' || call_versions.contact_id as owner_record_key,
        last_call_loads.load_number,
    from call_versions
    inner join last_call_loads on call_versions.call_id = last_call_loads.call_id
    union all
    select
        'hubspot/contacts/' || meeting_versions.contact_id as owner_record_key,
        last_meeting_loads.load_number,
    from meeting_versions
    inner join last_meeting_loads
        on meeting_versions.meeting_id = last_meeting_loads.meeting_id
    union all
    select
        deal_versions.source || '/' || deal_versions.contact_entity
        || '/' || deal_versions.contact_id as owner_record_key,
        last_deal_loads.load_number,
    from deal_versions
    inner join last_deal_loads
        on
            deal_versions.source = last_deal_loads.source
            and deal_versions.deal_id = last_deal_loads.deal_id
),

owners_changed as (
    select
        changes_stacked.owner_record_key,
        cast(max(changes_stacked.load_number) as integer) as load_number,
    from changes_stacked
    where changes_stacked.owner_record_key is not null
    group by changes_stacked.owner_record_key
)

select * from owners_changed
