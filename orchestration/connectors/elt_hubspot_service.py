"""How Fivetran's tables of HubSpot's tickets, calls and meetings become our contracts' records.

A stage that closes tickets reads `closed`, whatever it is called. Older tables of engagements name
their columns without `property_` and have their times in a table of their own.
"""

from __future__ import annotations

from orchestration.connectors.elt_zendesk import Mapped

_CONTACTS = "{'contacts': {'results': if(contact_id is null, [], [{'id': contact_id}])}}"

# Of several contacts of a ticket or an engagement the first is its own, as in the API's answer.
# HubSpot takes the closing date away from a ticket that is opened again.
_TICKETS = f"""
with closing as (
    select stage_id, bool_or(is_true(is_closed) or upper(ticket_state) = 'CLOSED') as is_closed
    from ticket_pipeline_stage group by stage_id
),
contacts as (
    select ticket_id, min(contact_id) as contact_id from ticket_contact group by ticket_id
),
tickets as (
    select ticket.*, is_true(_fivetran_deleted) or is_true(is_deleted) as is_gone,
        coalesce(property_hs_lastmodifieddate, _fivetran_synced) as changed
    from ticket
)
select
    _fivetran_synced as synced,
    json_object(
        'id', id,
        'properties', {{'hs_pipeline': property_hs_pipeline,
            'hs_pipeline_stage': if(coalesce(closing.is_closed, property_closed_date is not null),
                'closed', property_hs_pipeline_stage),
            'hs_ticket_category': property_hs_ticket_category,
            'hs_ticket_priority': property_hs_ticket_priority,
            'source_type': property_source_type, 'hubspot_owner_id': property_hubspot_owner_id}},
        'associations', {_CONTACTS},
        'createdAt', utc(coalesce(property_createdate, changed)),
        'updatedAt', version_at(is_gone::varchar, _fivetran_synced, changed),
        'archived', is_gone
    ) as record
from tickets
left join closing on closing.stage_id = tickets.property_hs_pipeline_stage
left join contacts on contacts.ticket_id = tickets.id
"""


def _engagements(table: str, happened: str, properties: str) -> str:
    """SQL over one kind of engagement.

    Args:
        table: The tool's table of the kind.
        happened: When it happened, in which column or columns.
        properties: Names of the API and columns, as a struct's.
    """
    return f"""
with contacts as (
    select engagement_id, min(contact_id) as contact_id
    from engagement_contact group by engagement_id
),
found as (
    select {table}.*, engagement.created_at as engagement_created_at,
        coalesce(property_hubspot_owner_id, engagement.owner_id) as owner_id,
        coalesce({happened}, engagement.timestamp) as happened_at,
        coalesce(property_hs_lastmodifieddate, engagement.last_updated,
            {table}._fivetran_synced) as changed,
        is_true({table}._fivetran_deleted) or not is_true(coalesce(engagement.active, 'true'))
            as is_gone
    from {table} left join engagement on engagement.id = {table}.engagement_id
)
select
    found._fivetran_synced as synced,
    json_object(
        'id', found.engagement_id,
        'properties', {{{properties}, 'hubspot_owner_id': owner_id}},
        'associations', {_CONTACTS},
        'createdAt', utc(coalesce(property_hs_createdate, engagement_created_at, happened_at,
            changed)),
        'updatedAt', version_at(is_gone::varchar, found._fivetran_synced, changed),
        'archived', is_gone
    ) as record
from found left join contacts on contacts.engagement_id = found.engagement_id
"""


_CALLS = _engagements(
    "engagement_call",
    "property_hs_timestamp",
    "'hs_call_title': property_hs_call_title,"
    " 'hs_call_direction': upper(property_hs_call_direction),"
    " 'hs_call_disposition': coalesce(property_hs_call_disposition, disposition),"
    " 'hs_call_duration': coalesce(property_hs_call_duration, duration_milliseconds),"
    " 'hs_timestamp': utc(happened_at)",
)
_MEETINGS = _engagements(
    "engagement_meeting",
    "property_hs_meeting_start_time, start_time, property_hs_timestamp",
    "'hs_meeting_title': coalesce(property_hs_meeting_title, title),"
    " 'hs_meeting_outcome': coalesce(property_hs_meeting_outcome, meeting_outcome),"
    " 'hs_meeting_start_time': utc(happened_at),"
    " 'hs_meeting_end_time': utc(coalesce(property_hs_meeting_end_time, end_time))",
)
_ENGAGEMENT = {
    "engagement": ("id", "created_at", "last_updated", "timestamp", "owner_id", "active"),
    "engagement_contact": ("engagement_id", "contact_id"),
}
_OF_ENGAGEMENTS = (
    *("_fivetran_synced", "_fivetran_deleted", "engagement_id", "property_hubspot_owner_id"),
    *("property_hs_timestamp", "property_hs_createdate", "property_hs_lastmodifieddate"),
)

SERVICE = {
    "tickets": Mapped(
        {
            "ticket": (
                *("_fivetran_synced", "_fivetran_deleted", "is_deleted", "id"),
                *("property_createdate", "property_closed_date", "property_hs_lastmodifieddate"),
                *("property_hs_pipeline", "property_hs_pipeline_stage", "property_source_type"),
                *("property_hs_ticket_category", "property_hs_ticket_priority"),
                "property_hubspot_owner_id",
            ),
            "ticket_contact": ("ticket_id", "contact_id"),
            "ticket_pipeline_stage": ("stage_id", "is_closed", "ticket_state"),
        },
        _TICKETS,
        optional=("ticket_contact", "ticket_pipeline_stage"),
    ),
    "calls": Mapped(
        {
            "engagement_call": (
                *(*_OF_ENGAGEMENTS, "property_hs_call_title", "property_hs_call_direction"),
                *("property_hs_call_disposition", "property_hs_call_duration"),
                *("disposition", "duration_milliseconds"),
            ),
            **_ENGAGEMENT,
        },
        _CALLS,
        optional=tuple(_ENGAGEMENT),
    ),
    "meetings": Mapped(
        {
            "engagement_meeting": (
                *(*_OF_ENGAGEMENTS, "property_hs_meeting_title", "property_hs_meeting_outcome"),
                *("property_hs_meeting_start_time", "property_hs_meeting_end_time"),
                *("title", "meeting_outcome", "start_time", "end_time"),
            ),
            **_ENGAGEMENT,
        },
        _MEETINGS,
        optional=tuple(_ENGAGEMENT),
    ),
}
