"""Mailchimp's exports: audience members, campaigns, e-mail activity; and the content catalogue."""

from __future__ import annotations

import duckdb

from orchestration.demo.parameters import DemoParameters
from orchestration.demo.plans import CAMPAIGN_EFFECT
from orchestration.demo.world import DAY

_CAMPAIGNS = """
create table campaign as
select
    'cmp' || lpad((m * 2 + i)::varchar, 4, '0') as campaign_id, m * 2 + i as campaign_no, m, i,
    from_ms + (5 + i * 14) * {day} + 36000000 as sent_ms,
    m % 6 = 3 and i = 1 as is_strong, false as is_series
from month, unnest([0, 1]) as t(i)
union all
-- the experiment's e-mail: a series to everyone in its two arms
select 'cmp9001', 9001, 0, 0, from_ms + {day}, false, true from month where m = 0
"""

# A member leaves with one of the campaigns; the drift night always has changed members.
_MEMBERS = """
create table member as
select
    record.*,
    case when r('leaves', idx) < 0.2
        then created_ms + whole_seconds((20 + r('leaves after', idx) * 500) * {day}) end as left_ms,
    r('bounces', idx) < 0.01 as bounces,
    row_number() over (order by idx) as member_no
from record where slot_kind = 'member'
"""

_MEMBER_LINES = """
insert into out_row
with versions as (
    select *, created_ms as changed_ms, 'subscribed' as status, false as is_vip from member
    union all select *, left_ms, if(bounces, 'cleaned', 'unsubscribed'), false from member
    where left_ms is not null
    union all select *, {vip_ms} + member_no * 1000, if(left_ms < {vip_ms},
        if(bounces, 'cleaned', 'unsubscribed'), 'subscribed'), true
    from member where member_no <= 5 and created_ms < {vip_ms}
)
select 'mailchimp', 'members', record_id || '|' || changed_ms, idx, changed_ms,
    if(is_vip, make_timestamp(changed_ms * 1000)::date + 1,
        night_of(changed_ms, 'member' || record_id || changed_ms)),
    to_json({{
        'id': md5(lower(email)), 'unique_email_id': record_id, 'email_address': email,
        'list_id': 'lst7f21c0', 'status': status,
        'merge_fields': {{'FNAME': first_name, 'LNAME': last_name, 'PHONE': phone}},
        'location': {{'country_code': country}}, 'language': if(country = 'DE', 'de', 'en'),
        'timestamp_opt': isos(created_ms), 'timestamp_signup': isos(created_ms),
        'last_changed': isos(changed_ms), 'source': 'Webform', 'vip': is_vip
    }})::varchar
from versions
"""

_CAMPAIGN_LINES = """
insert into out_row
select 'mailchimp', 'campaigns', campaign_id, null, sent_ms,
    night_of(sent_ms + 3600000, campaign_id),
    to_json({{
        'id': campaign_id, 'type': if(is_series, 'automation', 'regular'), 'status': 'sent',
        'settings': {{
            'title': case when is_series then 'Trial tips' when is_strong
                then 'Finish your setup ' || campaign_no else 'Newsletter ' || campaign_no end,
            'subject_line': case when is_series then 'A tip for your trial' when is_strong
                then 'Three steps to your first report' else 'What is new' end,
            'template_id': 'content-' || campaign_no % 12
        }},
        'recipients': {{'list_id': 'lst7f21c0',
            'segment_text': if(is_strong or is_series, 'Trial users', 'All subscribers')}},
        'budget': {{'amount': ((2 + floor(r('spend', campaign_no) * 8)) * 50)::bigint::varchar,
            'currency': if(campaign_no % 3 = 0, 'EUR', 'USD')}},
        'emails_sent': if(is_series, 0, (select count(*) from member where created_ms < sent_ms
            and coalesce(left_ms, 9000000000000) > sent_ms)),
        'create_time': isos(sent_ms - 2 * {day}), 'send_time': isos(sent_ms),
        'update_time': isos(sent_ms + 3600000)
    }})::varchar
from campaign
"""

_ACTIVITY = """
create table activity as
with sent as (
    select
        idx, record_id, email, campaign_id, is_strong, left_ms, bounces, sent_ms,
        campaign_no || '|' || record_id as k,
        sent_ms + whole_seconds(r('send', campaign_no || '|' || record_id) * 1200000) as at_ms,
        r('opens', campaign_no || '|' || record_id) as opens,
        r('clicks', campaign_no || '|' || record_id) as clicks
    from member join campaign on not is_series and sent_ms > created_ms
        and sent_ms < coalesce(left_ms, 9000000000000)
    union all
    select
        member.idx, record_id, email, campaign_id, false, left_ms, bounces, at_ms, k, at_ms,
        r('opens', k), r('clicks', k)
    from (
        select member.*, n, trial_ms + n * 4 * {day} - 3600000 as at_ms,
            'tip|' || n || '|' || record_id as k
        from member join app_user using (idx), unnest([1, 2, 3]) as t(n)
        where trial_ms is not null and arm in ('email', 'both')
    ) as member
    join campaign on is_series
    where at_ms > created_ms and at_ms < coalesce(left_ms, 9000000000000)
),
opened as (
    select *, at_ms + 60000 + whole_seconds(power(r('open at', k), 3) * 3 * {day}) as open_ms
    from sent where opens < 0.33
)
select idx, record_id, email, campaign_id, k || '|s' as k, 'sent' as action, null as bounce,
    null as url, at_ms
from sent
union all select idx, record_id, email, campaign_id, k || '|o', 'open', null, null, open_ms
from opened
union all select idx, record_id, email, campaign_id, k || '|c', 'click', null,
    'https://www.northbeam.example/docs/' || campaign_id, open_ms + 45000
from opened where clicks < 0.12 + case when is_strong then {effect} else 0 end
union all select idx, record_id, email, campaign_id, k || '|b', 'bounce', 'hard', null,
    at_ms + 5000
from sent where r('bounce', k) < 0.006
union all select idx, record_id, email, campaign_id, k || '|a', 'abuse', null, null,
    open_ms + 90000
from opened where r('abuse', k) < 0.001
union all select idx, record_id, email, arg_max(campaign_id, sent_ms),
    'u|' || record_id, 'unsub', null, null, left_ms
from sent where left_ms is not null and not bounces group by all
"""

_ACTIVITY_LINES = """
insert into out_row
select 'mailchimp', 'email_activity',
    campaign_id || '|' || record_id || '|' || action || '|' || at_ms || '|' || coalesce(url, ''),
    idx, at_ms, night_of(at_ms, k),
    to_json({{
        'campaign_id': campaign_id, 'list_id': 'lst7f21c0', 'email_id': md5(lower(email)),
        'unique_email_id': record_id, 'email_address': email, 'action': action, 'type': bounce,
        'url': url, 'timestamp': isos(at_ms)
    }})::varchar
from activity
"""

_ACTIVITY_TRUTH = """
insert into truth_event
select source, entity, row_key, idx, at_ms, night, null, null, null, null
from out_row where entity = 'email_activity'
"""

_CONTENTS = """
insert into out_row
select 'cms', 'contents', 'content-' || i, null, published_ms,
    night_of(published_ms, 'content-' || i),
    concat_ws(',', 'content-' || i, choose(['article', 'guide', 'video'], r('content type', i)),
        'Guide number ' || i, '/docs/guide-' || i,
        choose(['reports', 'billing', 'setup', 'sharing'], r('topic', i)),
        choose(['awareness', 'trial', 'adoption', 'renewal'], r('content stage', i)),
        'Editor ' || i % 3, isos(published_ms), isos(published_ms))
from (
    select i, (select from_ms from month where m = 0) + i * 9 * {day} as published_ms
    from range(48) as t(i)
)
"""


def simulate_email(world: duckdb.DuckDBPyConnection, parameters: DemoParameters) -> None:
    """Add Mailchimp's and the content catalogue's rows to out_row, the activity to the truth."""
    drift_night = parameters.night(parameters.mess.drift_night)
    values = {
        "day": DAY,
        "effect": CAMPAIGN_EFFECT,
        "vip_ms": f"(epoch_ms(timestamp '{drift_night}') - 43200000)",
    }
    for statement in (
        _CAMPAIGNS, _MEMBERS, _MEMBER_LINES, _CAMPAIGN_LINES, _ACTIVITY, _ACTIVITY_LINES, _CONTENTS,
    ):  # fmt: skip
        world.execute(statement.format(**values))
    world.execute(_ACTIVITY_TRUTH)
    world.execute(
        f"""update out_row
        set line = left(line, length(line) - 1) || ',"sms_phone_number":null}}'
        where source = 'mailchimp' and entity = 'members' and night = date '{drift_night}'"""
    )
