"""How Fivetran's tables of HubSpot become the records that our contracts read.

A property stands in a column `property_<name>`. Merges stand in the survivor's property, in an
audit table, or in both.
"""

from __future__ import annotations

from orchestration.connectors.elt_zendesk import Mapped

_MARKS = ("_fivetran_synced", "_fivetran_deleted", "is_deleted", "id")
_PROPERTIES = (
    *("email", "hs_additional_emails", "firstname", "lastname", "jobtitle", "hs_role"),
    *("industry", "country", "city", "zip", "date_of_birth", "budget", "phone", "mobilephone"),
    *("lifecyclestage", "hubspot_owner_id", "associatedcompanyid", "app_user_id"),
)
_GIVEN = ", ".join(f"'{name}': property_{name}" for name in _PROPERTIES)
_GONE = "(is_true(_fivetran_deleted) or is_true(is_deleted))::varchar"

_CONTACTS = f"""
with merged as (
    select canonical_vid, string_agg(distinct vid_to_merge, ';' order by vid_to_merge) as ids,
        max(_fivetran_synced) as audited
    from contact_merge_audit group by canonical_vid
)
select
    greatest(contact._fivetran_synced, coalesce(audited, '')) as synced,
    json_object(
        'id', id,
        'properties', {{{_GIVEN}, 'hs_merged_object_ids':
            nullif(concat_ws(';', property_hs_merged_object_ids, merged.ids), '')}},
        'createdAt', utc(coalesce(property_createdate, contact._fivetran_synced)),
        'updatedAt', version_at({_GONE}, contact._fivetran_synced,
            coalesce(property_lastmodifieddate, contact._fivetran_synced)),
        'archived', {_GONE} = 'true'
    ) as record
from contact left join merged on merged.canonical_vid = contact.id
"""

# Its contract reads CSV, so every column is named, whether it has a value or not.
_COMPANIES = f"""
select
    _fivetran_synced as synced,
    json_object(
        'company_id', id, 'name', property_name, 'domain', property_domain,
        'industry', property_industry, 'country', property_country, 'city', property_city,
        'employee_count', property_numberofemployees,
        'merged_company_ids', property_hs_merged_object_ids,
        'created_at', utc(coalesce(property_createdate, _fivetran_synced)),
        'updated_at', version_at({_GONE}, _fivetran_synced,
            coalesce(property_hs_lastmodifieddate, _fivetran_synced)),
        'is_archived', {_GONE}
    ) as record
from company
"""

_OWNERS = """
with teams as (
    select owner_id, min_by(name, team.id) as name
    from owner_team join team on team.id = owner_team.team_id group by owner_id
)
select
    _fivetran_synced as synced,
    json_object(
        'owner_id', owner.owner_id, 'email', email, 'first_name', first_name,
        'last_name', last_name, 'team', teams.name, 'department', teams.name,
        'created_at', utc(created_at), 'updated_at', utc(coalesce(updated_at, created_at)),
        'is_archived', (not is_true(coalesce(is_active, 'true')))::varchar
    ) as record
from owner left join teams on teams.owner_id = owner.owner_id
"""

_EVENTS = """
select
    email_event._fivetran_synced as synced,
    json_object(
        'id', email_event.id, 'type', type, 'recipient', recipient,
        'emailCampaignId', email_campaign_id, 'filteredEvent', is_true(filtered_event),
        'sentBy', {'id': sent_by_id}, 'created', utc(created),
        'url', url, 'category', category, 'subject', subject,
        'portalSubscriptionStatus', portal_subscription_status,
        'subscriptions', if(json_valid(subscriptions), subscriptions, '[]')::json
    ) as record
from email_event
left join email_event_click using (id)
left join email_event_bounce using (id)
left join email_event_sent using (id)
left join email_event_status_change using (id)
"""

HUBSPOT = {
    "contacts": Mapped(
        {
            "contact": (
                *(*_MARKS, "property_createdate", "property_lastmodifieddate"),
                *(f"property_{name}" for name in (*_PROPERTIES, "hs_merged_object_ids")),
            ),
            "contact_merge_audit": ("_fivetran_synced", "canonical_vid", "vid_to_merge"),
        },
        _CONTACTS,
        optional=("contact_merge_audit",),
    ),
    "companies": Mapped(
        {
            "company": (
                *(*_MARKS, "property_name", "property_domain", "property_industry"),
                *("property_country", "property_city", "property_numberofemployees"),
                *("property_hs_merged_object_ids", "property_createdate"),
                "property_hs_lastmodifieddate",
            )
        },
        _COMPANIES,
    ),
    "owners": Mapped(
        {
            "owner": (
                *("_fivetran_synced", "owner_id", "email", "first_name", "last_name"),
                *("is_active", "created_at", "updated_at"),
            ),
            "owner_team": ("owner_id", "team_id"),
            "team": ("id", "name"),
        },
        _OWNERS,
        optional=("owner_team", "team"),
    ),
    "email_events": Mapped(
        {
            "email_event": (
                *("_fivetran_synced", "id", "type", "recipient", "email_campaign_id"),
                *("filtered_event", "sent_by_id", "created"),
            ),
            "email_event_click": ("id", "url"),
            "email_event_bounce": ("id", "category"),
            "email_event_sent": ("id", "subject"),
            "email_event_status_change": ("id", "portal_subscription_status", "subscriptions"),
        },
        _EVENTS,
        optional=(
            *("email_event_click", "email_event_bounce", "email_event_sent"),
            "email_event_status_change",
        ),
    ),
}
