-- one row per touchpoint-to-be, with the record that owns it or the reason why none does
with

events as (
    select
        touchpoint_id,
        source,
        record_key,
        anonymous_id,
        email,
        campaign_id,
        department_key,
        ticket_id,
        deal_id,
        load_number,
        occurred_at,
    from {{ ref('int_events') }}
),

deals as (
    select deal_id, is_archived, load_number from {{ ref('int_deals') }}
),

device_ownership as (
    select source, anonymous_id, owner_record_key, load_number, valid_from, valid_to
    from {{ ref('int_device_ownership') }}
),

email_owners as (
    select source, email, owner_record_key, load_number from {{ ref('int_email_owners') }}
),

tickets as (
    select source, ticket_id, requester_record_key, status, load_number
    from {{ ref('int_tickets') }}
),

records_delivered as (
    select record_key, staff_load_number, staff_known_at from {{ ref('int_records_delivered') }}
),

departments as (
    select department_key, load_number from {{ ref('int_departments_named') }}
),

campaign_contents as (
    select campaign_id, load_number from {{ ref('int_campaign_contents') }}
),

-- An event that names its user is never given to the owner of the device or of an address.
events_beside_devices as (
    select
        events.touchpoint_id,
        events.source,
        coalesce(
            events.record_key,
            device_ownership.owner_record_key,
            email_owners.owner_record_key,
            any_email_owners.owner_record_key
        ) as own_record_key,
        case
            when events.record_key is not null then 'own_id'
            when device_ownership.owner_record_key is not null then 'device'
            when
                coalesce(email_owners.owner_record_key, any_email_owners.owner_record_key)
                is not null
                then 'email'
        end as own_rule,
        events.anonymous_id,
        events.email,
        events.campaign_id,
        events.department_key,
        events.ticket_id,
        events.deal_id,
        greatest(
            events.load_number,
            coalesce(device_ownership.load_number, 0),
            coalesce(email_owners.load_number, any_email_owners.load_number, 0)
        ) as load_number,
    from events
    left join device_ownership
        on
            events.source = device_ownership.source
            and case when events.record_key is null then events.anonymous_id end
            = device_ownership.anonymous_id
            and events.occurred_at >= device_ownership.valid_from
            and events.occurred_at < device_ownership.valid_to
    -- The source's own records first: where two customers of it bear the address, nobody's.
    left join email_owners
        on
            events.email = email_owners.email
            and events.source = email_owners.source
    left join email_owners as any_email_owners
        on
            case when email_owners.email is null then events.email end = any_email_owners.email
            and any_email_owners.source = '*'
),

-- What staff wrote on a ticket is a contact with the customer who opened it. What belongs to a
-- deleted ticket or deal is nobody's, but is still somebody's loss.
events_beside_records as (
    select
        events_beside_devices.touchpoint_id,
        case
            when own_records.record_key is not null and own_records.staff_known_at is null
                then events_beside_devices.own_record_key
            when requesters.record_key is not null and requesters.staff_known_at is null
                then tickets.requester_record_key
        end as concerned_record_key,
        coalesce(tickets.status = 'deleted', false)
        or coalesce(deals.is_archived, false) as is_deleted,
        case
            when own_records.record_key is not null and own_records.staff_known_at is null
                then events_beside_devices.own_rule
            when requesters.record_key is not null and requesters.staff_known_at is null
                then 'ticket_requester'
            when own_records.record_key is not null then 'staff'
            when events_beside_devices.own_record_key is not null then 'unknown_record'
            when events_beside_devices.email is not null then 'unknown_record'
            when events_beside_devices.anonymous_id is not null then 'no_login'
            else 'no_handle'
        end as owned_by,
        greatest(
            events_beside_devices.load_number,
            coalesce(tickets.load_number, 0),
            coalesce(deals.load_number, 0),
            coalesce(departments.load_number, 0),
            coalesce(campaign_contents.load_number, 0),
            coalesce(own_records.staff_load_number, 0),
            coalesce(requesters.staff_load_number, 0)
        ) as load_number,
    from events_beside_devices
    left join records_delivered as own_records
        on events_beside_devices.own_record_key = own_records.record_key
    left join tickets
        on
            events_beside_devices.source = tickets.source
            and events_beside_devices.ticket_id = tickets.ticket_id
    left join deals on events_beside_devices.deal_id = deals.deal_id
    left join records_delivered as requesters
        on tickets.requester_record_key = requesters.record_key
    left join departments
        on events_beside_devices.department_key = departments.department_key
    left join campaign_contents
        on events_beside_devices.campaign_id = campaign_contents.campaign_id
),

events_owned as (
    select
        touchpoint_id,
        case when not is_deleted then concerned_record_key end as owner_record_key,
        concerned_record_key,
        case when is_deleted then 'deleted' else owned_by end as owned_by,
        cast(load_number as integer) as load_number,
    from events_beside_records
)

select * from events_owned
