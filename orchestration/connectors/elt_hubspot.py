"""How Fivetran's tables of HubSpot become the records that our contracts read.

A property stands in a column `property_<name>`. The pipelines' own table says which stages win or
lose a deal, whatever they are called. Merges stand in the survivor's property, in an
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

# Of several contacts or companies of a deal the first is its own, as in the API's answer.
_DEALS = """
with stages as (
    select stage_id, case
        when is_true(closed_won) then 'closedwon'
        when is_true(is_closed) then 'closedlost' else stage_id end as stage
    from deal_pipeline_stage
),
history as (
    select deal_id, list({'value': coalesce(stages.stage, deal_stage.value),
        'timestamp': utc(date_entered)} order by utc(date_entered)) as entries
    from deal_stage left join stages on stages.stage_id = deal_stage.value
    where date_entered is not null group by deal_id
),
contacts as (
    select deal_id, min(contact_id) as contact_id from deal_contact group by deal_id
),
companies as (
    select deal_id, min(company_id) as company_id from deal_company group by deal_id
),
merged as (select merged_deal_id, max(_fivetran_synced) as synced from merged_deal group by all),
deals as (
    select deal.*, merged.merged_deal_id is not null or is_true(deal._fivetran_deleted)
            or is_true(is_deleted) as is_gone,
        coalesce(greatest(deal._fivetran_synced, merged.synced), deal._fivetran_synced,
            property_hs_lastmodifieddate, property_createdate) as synced
    from deal left join merged on merged.merged_deal_id = deal.deal_id
)
select
    synced,
    json_object(
        'id', deal_id,
        'properties', {'dealname': property_dealname,
            'dealstage': coalesce(stages.stage, deal_pipeline_stage_id),
            'pipeline': deal_pipeline_id, 'amount': property_amount,
            'deal_currency_code': property_deal_currency_code,
            'closed_lost_reason': property_closed_lost_reason,
            'competitor': property_competitor, 'hubspot_owner_id': owner_id,
            'closedate': utc(property_closedate)},
        'associations', {
            'contacts': {'results': if(contact_id is null, [], [{'id': contact_id}])},
            'companies': {'results': if(company_id is null, [], [{'id': company_id}])}},
        'propertiesWithHistory', {'dealstage': coalesce(history.entries, [])},
        'createdAt', utc(coalesce(property_createdate, synced)),
        'updatedAt', version_at(is_gone::varchar, synced,
            coalesce(property_hs_lastmodifieddate, synced)),
        'archived', is_gone
    ) as record
from deals
left join stages on stages.stage_id = deals.deal_pipeline_stage_id
left join history using (deal_id)
left join contacts using (deal_id)
left join companies using (deal_id)
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
    "deals": Mapped(
        {
            "deal": (
                *("_fivetran_synced", "_fivetran_deleted", "is_deleted", "deal_id", "owner_id"),
                *("deal_pipeline_id", "deal_pipeline_stage_id", "property_dealname"),
                *("property_amount", "property_deal_currency_code", "property_closedate"),
                *("property_closed_lost_reason", "property_competitor", "property_createdate"),
                "property_hs_lastmodifieddate",
            ),
            "deal_contact": ("deal_id", "contact_id"),
            "deal_company": ("deal_id", "company_id"),
            "deal_stage": ("deal_id", "value", "date_entered"),
            "deal_pipeline_stage": ("stage_id", "is_closed", "closed_won"),
            "merged_deal": ("_fivetran_synced", "deal_id", "merged_deal_id"),
        },
        _DEALS,
        optional=(
            *("deal_contact", "deal_company", "deal_stage", "deal_pipeline_stage"),
            "merged_deal",
        ),
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
