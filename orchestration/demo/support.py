"""Zendesk's exports: users, groups, tickets with their events, comments and ratings."""

from __future__ import annotations

import duckdb

from orchestration.demo import names
from orchestration.demo.plans import HANDOFF_HOURS, PLAIN_HOURS
from orchestration.demo.world import DAY

_USERS = """
insert into out_row
with users as (
    select idx, record_id, email, trim(first_name || ' ' || last_name) as name, phone,
        'end-user' as role, external_id, created_ms
    from record where slot_kind = 'support'
    union all
    select null, agent_id, email, first_name || ' ' || last_name, null,
        if(staff_no = 11, 'admin', 'agent'), null, created_ms
    from staff where department = 'support'
)
select 'zendesk', 'users', record_id, idx, created_ms, night_of(created_ms, 'zd' || record_id),
    to_json({{
        'id': record_id::bigint, 'email': email, 'name': name, 'phone': phone, 'role': role,
        'organization_id': null, 'external_id': external_id, 'created_at': isos(created_ms),
        'updated_at': isos(created_ms), 'active': true, 'locale': 'en-US'
    }})::varchar
from users
"""

_GROUPS = """
insert into out_row
select 'zendesk', 'groups', i::varchar, null, at_ms, night_of(at_ms, 'group' || i),
    to_json({{'id': 360000 + i, 'name': ['Sales desk', 'Help desk'][i],
        'created_at': isos(at_ms), 'updated_at': isos(at_ms)}})::varchar
from (select i, (select from_ms from month where m = 0) as at_ms from unnest([1, 2]) as t(i))
"""

# Tickets of a poor experience come more often, in a worse mood, and end in worse ratings.
_TICKETS = """
create table ticket as
with requesters as (
    select
        idx, record_id as requester_id, created_ms, coalesce(is_poor, false) as is_poor, cancel_ms,
        cancel_reason
    from record left join (select idx, is_poor, cancel_ms, cancel_reason from app_user) using (idx)
    where slot_kind = 'support'
),
numbered as (
    select
        requesters.*, n, idx * 16 + n as k, null as stated_reason,
        created_ms + 60000 + whole_seconds(power(r('ticket at', idx * 16 + n), 1.3) * 400 * {day})
            as opened_ms
    from requesters, unnest(range(8)) as t(n)
    where r('tickets', idx * 16 + n) < case when is_poor then 0.55 else 0.28 end
    union all
    -- half of those who leave write to support first, and say why
    select requesters.*, 8, idx * 16 + 8, cancel_reason,
        greatest(created_ms + 60000, cancel_ms - whole_seconds((1 + r('notice', idx)) * 2 * {day}))
    from requesters
    where cancel_ms > created_ms + {day} and r('gives notice', idx) < 0.5
),
felt as (
    select
        *,
        case
            when is_poor then
                choose(['angry', 'frustrated', 'frustrated', 'confused'], r('mood', k))
            else choose(['neutral', 'neutral', 'confused', 'happy', 'frustrated'], r('mood', k))
        end as mood,
        r('handed', k) < 0.3 as is_handed_off,
        choose(['web', 'email', 'chat', 'voice'], r('channel', k)) as channel,
        (select agent_id from staff where staff_no = 6 + k % 5) as agent_id
    from numbered
)
select
    *,
    (1000000 + scramble(k, 48271, 77)) as ticket_id,
    opened_ms + whole_seconds((0.2 - ln(1 - r('reply', k))
        * case when is_handed_off then {handoff} else {plain} end) * 3600000) as reply_ms,
    case
        when is_poor and r('score', k) < 0.75 then 'bad'
        when r('score', k) < 0.9 then 'good' else 'bad'
    end as score,
    r('rated', k) < 0.55 as is_rated,
    (5 + floor(-ln(1 - r('minutes', k)) * if(is_poor, 40, 18)))::integer as handling_minutes,
    case when mood = 'angry' and r('refund', k) < 0.5 then 19.00 end as refund_amount
from felt
"""

_SOLVED = """
create table solved_ticket as
select *, reply_ms + 7200000 + whole_seconds(r('solve', k) * 3 * {day}) as solved_ms from ticket
"""

_TICKET_LINES = """
insert into out_row
with versions as (
    select *, opened_ms as updated_ms, 'new' as status from solved_ticket
    union all select *, solved_ms, 'solved' from solved_ticket
)
select 'zendesk', 'tickets', ticket_id::varchar || '|' || status, idx, updated_ms,
    night_of(updated_ms, 'ticket' || ticket_id || if(status = 'new', '', 'solved')),
    to_json({{
        'id': ticket_id, 'requester_id': requester_id::bigint, 'submitter_id': requester_id::bigint,
        'assignee_id': if(status = 'new', null, agent_id::bigint),
        'group_id': if(status = 'new' and is_handed_off, 360001, 360002),
        'subject': if(stated_reason is not null, 'Cancelling our subscription',
            choose(['Export fails', 'Question about billing', 'Cannot log in',
                'How do I share a report'], r('subject', k))),
        'status': status, 'priority': if(mood = 'angry', 'high', 'normal'),
        'via': {{'channel': channel}},
        'tags': if(is_handed_off, ['from_sales'], []),
        'satisfaction_rating': {{'score': if(status = 'solved', 'offered', 'unoffered')}},
        'custom_fields': [
            {{'id': 1001, 'value': if(status = 'new', null, handling_minutes::varchar)}},
            {{'id': 1002, 'value': if(status = 'new', null, refund_amount::varchar)}},
            {{'id': 1003, 'value': if(status = 'new' or refund_amount is null, null, 'USD')}},
            {{'id': 1004, 'value': if(status = 'solved', stated_reason, null)}}
        ],
        'created_at': isos(opened_ms), 'updated_at': isos(updated_ms)
    }})::varchar
from versions
"""

_EVENT_LINES = """
insert into out_row
with changes as (
    select *, 1 as part, 'Create' as type, 'status' as field, 'new' as value, null as previous,
        opened_ms as at_ms from solved_ticket
    union all select *, 2, 'Change', 'group_id', '360002', '360001',
        greatest(opened_ms + 1000, reply_ms - 1800000) from solved_ticket where is_handed_off
    union all select *, 3, 'Change', 'assignee_id', agent_id, null, reply_ms - 600000
        from solved_ticket
    union all select *, 4, 'Change', 'status', 'open', 'new', reply_ms from solved_ticket
    union all select *, 5, 'Change', 'status', 'solved', 'open', solved_ms from solved_ticket
)
select 'zendesk', 'ticket_events', ticket_id || '-' || part, null, at_ms,
    night_of(at_ms, 'tev' || ticket_id || part),
    to_json({{
        'id': ticket_id || '-' || part, 'ticket_id': ticket_id,
        'updater_id': if(part = 1, requester_id, agent_id)::bigint, 'via': channel,
        'event_type': type, 'field_name': field, 'value': value, 'previous_value': previous,
        'created_at': isos(at_ms)
    }})::varchar
from changes
"""

_COMMENTS = """
create table comment as
select ticket_id || '1' as comment_id, *, opened_ms as at_ms, requester_id as author_id,
    true as is_public,
    {moods}[mood][1 + (k % 2)] as body
from solved_ticket
union all
select ticket_id || '2', *, reply_ms, agent_id, true,
    'Thank you for writing. We are looking into it.' from solved_ticket
union all
select ticket_id || '3', *, reply_ms - 300000, agent_id, false,
    if(is_handed_off, 'Came over from sales without notes.', 'Checked the account.')
from solved_ticket where r('internal', k) < 0.4
"""

_COMMENT_LINES = """
insert into out_row
select 'zendesk', 'comments', comment_id, if(is_public, idx, null), at_ms,
    night_of(at_ms, 'comment' || comment_id),
    to_json({{
        'id': comment_id::bigint, 'ticket_id': ticket_id, 'author_id': author_id::bigint,
        'body': body, 'public': is_public, 'via': {{'channel': channel}},
        'created_at': isos(at_ms)
    }})::varchar
from comment
"""

_RATING_LINES = """
insert into out_row
with versions as (
    select *, 'offered' as given, solved_ms + 3600000 as updated_ms from solved_ticket
    where is_rated
    union all
    select *, score, solved_ms + 7200000 + whole_seconds(r('rate at', k) * {day}) from solved_ticket
    where is_rated
)
select 'zendesk', 'satisfaction_ratings', '7' || ticket_id || '|' || given, idx, updated_ms,
    night_of(updated_ms, 'rating' || ticket_id || if(given = 'offered', 'o', '')),
    to_json({{
        'id': ('7' || ticket_id)::bigint, 'ticket_id': ticket_id,
        'requester_id': requester_id::bigint, 'assignee_id': agent_id::bigint, 'group_id': 360002,
        'score': given, 'reason': if(given = 'bad', 'The issue took too long to resolve', null),
        'comment': if(given = 'offered', null, {moods}[mood][1]),
        'created_at': isos(solved_ms + 3600000), 'updated_at': isos(updated_ms)
    }})::varchar
from versions
"""

# A ticket is known as soon as any version of it is; a rating when its score is.
_TRUTH = """
insert into truth_event
select 'zendesk', 'tickets', split_part(row_key, '|', 1), idx, opened_ms, min(night), null, null,
    null, null
from out_row join (select ticket_id, opened_ms from ticket) as ticket
    on ticket.ticket_id::varchar = split_part(row_key, '|', 1)
where source = 'zendesk' and entity = 'tickets' group by all
union all
select 'zendesk', 'comments', comment_id, comment.idx, comment.at_ms, night, null, null,
    if(author_id = requester_id, mood, null), null
from comment join out_row on row_key = comment_id and out_row.entity = 'comments'
where is_public
union all
select 'zendesk', 'satisfaction_ratings', split_part(row_key, '|', 1), idx, at_ms, night, null,
    null, null, null
from out_row where entity = 'satisfaction_ratings' and row_key not like '%offered'
"""


def simulate_support(world: duckdb.DuckDBPyConnection) -> None:
    """Add Zendesk's rows to out_row, and tickets, public comments and ratings to the truth."""
    moods = (
        f"map({names.sql_list(list(names.MOODS))}, ["
        + ", ".join(names.sql_list(texts) for texts in names.MOODS.values())
        + "])"
    )
    values = {"day": DAY, "handoff": HANDOFF_HOURS, "plain": PLAIN_HOURS, "moods": moods}
    for statement in (
        _USERS, _GROUPS, _TICKETS, _SOLVED, _TICKET_LINES, _EVENT_LINES, _COMMENTS,
        _COMMENT_LINES, _RATING_LINES,
    ):  # fmt: skip
        world.execute(statement.format(**values))


def record_support_truth(world: duckdb.DuckDBPyConnection) -> None:
    """Add the support events to the truth, once the nights of all rows are settled."""
    world.execute(_TRUTH)
