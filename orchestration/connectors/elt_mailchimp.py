"""How Fivetran's tables of Mailchimp become the records that our contracts read.

An automation's e-mail is a campaign of its own. When its mails were sent is nowhere in the tool's
tables, so only what happened to them counts.
"""

from __future__ import annotations

from orchestration.connectors.elt_zendesk import Mapped

_MEMBERS = """
select
    _fivetran_synced as synced,
    json_merge_patch(to_json(member), json_object(
        'merge_fields', {'FNAME': merge_fname, 'LNAME': merge_lname, 'PHONE': merge_phone},
        'location', {'country_code': country_code},
        'timestamp_opt', utc(timestamp_opt), 'timestamp_signup', utc(timestamp_signup),
        'last_changed', version_at(_fivetran_deleted, _fivetran_synced, last_changed),
        'status', if(is_true(_fivetran_deleted), 'archived', status)
    )) as record
from member
"""

_CAMPAIGNS = """
select
    _fivetran_synced as synced,
    json_merge_patch(to_json(campaign), json_object(
        'settings', {'title': title, 'subject_line': subject_line, 'template_id': template_id},
        'recipients', {'list_id': list_id, 'segment_text': segment_text},
        'create_time', utc(create_time), 'send_time', utc(send_time),
        'update_time', utc(coalesce(send_time, create_time))
    )) as record
from campaign
union all
select
    _fivetran_synced,
    json_merge_patch(to_json(automation_email), json_object(
        'type', 'automation',
        'settings', {'title': title, 'subject_line': subject_line, 'template_id': template_id},
        'create_time', utc(create_time), 'send_time', utc(send_time),
        'update_time', utc(coalesce(send_time, create_time))
    ))
from automation_email
"""

_ACTIVITY = """
with events as (
    select
        _fivetran_synced as synced, campaign_id, list_id, member_id, action, bounce_type, url,
        timestamp
    from campaign_recipient_activity
    union all
    select
        _fivetran_synced, automation_email_id, list_id, member_id, action, bounce_type, url,
        timestamp
    from automation_recipient_activity
    union all
    select
        campaign_recipient._fivetran_synced, campaign_id, campaign_recipient.list_id, member_id,
        'sent', null, null, send_time
    from campaign_recipient left join campaign on campaign.id = campaign_recipient.campaign_id
    union all
    select _fivetran_synced, campaign_id, list_id, member_id, 'unsub', null, null, timestamp
    from unsubscribe
),
known as (
    select id, list_id, any_value(unique_email_id) as unique_email_id,
        any_value(email_address) as email_address
    from member group by id, list_id
)
select
    synced,
    json_object(
        'campaign_id', campaign_id, 'list_id', events.list_id, 'email_id', member_id,
        'unique_email_id', unique_email_id, 'email_address', email_address, 'action', action,
        'type', bounce_type, 'url', url, 'timestamp', utc(timestamp)
    ) as record
from events left join known on known.id = events.member_id and known.list_id = events.list_id
"""

_CAMPAIGN = (
    *("_fivetran_synced", "id", "title", "subject_line", "template_id", "list_id"),
    *("segment_text", "create_time", "send_time"),
)
_HAPPENED = (
    *("_fivetran_synced", "list_id", "member_id", "action", "bounce_type", "url", "timestamp"),
)

MAILCHIMP = {
    "members": Mapped(
        {
            "member": (
                *("_fivetran_synced", "merge_fname", "merge_lname", "merge_phone"),
                *("country_code", "timestamp_opt", "timestamp_signup", "last_changed"),
                *("_fivetran_deleted", "status"),
            )
        },
        _MEMBERS,
    ),
    "campaigns": Mapped(
        {"campaign": _CAMPAIGN, "automation_email": _CAMPAIGN},
        _CAMPAIGNS,
        optional=("automation_email",),
    ),
    "email_activity": Mapped(
        {
            "campaign": _CAMPAIGN,
            "campaign_recipient": ("_fivetran_synced", "campaign_id", "list_id", "member_id"),
            "campaign_recipient_activity": (*_HAPPENED, "campaign_id"),
            "automation_recipient_activity": (*_HAPPENED, "automation_email_id"),
            "unsubscribe": (
                *("_fivetran_synced", "campaign_id", "list_id", "member_id", "timestamp"),
            ),
            "member": ("id", "list_id", "unique_email_id", "email_address"),
        },
        _ACTIVITY,
        optional=("automation_recipient_activity", "unsubscribe"),
    ),
}
