"""The app's Segment calls, some months at a time: visits, sign-up, use, checkout, subscription."""

from __future__ import annotations

import duckdb

from orchestration.demo.parameters import DemoParameters
from orchestration.demo.plans import (
    BUG_FROM_MONTH,
    BUG_VERSION,
    BUG_WEEKS,
    INITIATIVES_FROM_MONTH,
    POOR_EXPERIENCE_CODE,
)
from orchestration.demo.world import DAY

# Pages seen before login in a session, but for the first.
_PAGES_A_SESSION = 3.0

# What has a planned time: one row per call, with the properties as JSON text.
_PLANNED = """
with steps as (
    select idx, 'page' as type, 'Home' as event, signup_ms - 240000 as at_ms, false as known,
        '{{}}' as properties from app_user
    union all select idx, 'page', 'Pricing', signup_ms - 120000, false, '{{}}' from app_user
    union all select idx, 'identify', null, signup_ms, true, '{{}}' from app_user
    union all select idx, 'track', 'Signed Up', signup_ms + 1000, true,
        to_json({{'plan': plan, 'referral_code': case when r('referred', idx) < 0.1
            then 'REF' || idx % 97 end}})::varchar from app_user
    union all select idx, 'group', null, signup_ms + 3000, true, '{{}}' from app_user
    where company_no is not null
    union all select idx, 'alias', null, signup_ms + 2000, true, '{{}}' from app_user
    where r('alias', idx) < 0.1
    union all select idx, 'track', 'Feature Failed', [poor_1_ms, poor_2_ms, poor_3_ms][n], true,
        to_json({{'feature_id': 'reports', 'error_code': '{poor_code}'}})::varchar
    from app_user, unnest([1, 2, 3]) as t(n)
    where [poor_1_ms, poor_2_ms, poor_3_ms][n] < coalesce(cancel_ms, 9000000000000)
    union all select idx, 'track', 'Trial Started', trial_ms, true,
        to_json({{'plan': plan, 'trial_days': 30}})::varchar from app_user
    where trial_ms is not null
    union all select idx, 'track', 'Experiment Assigned', trial_ms + 1000 * n, true,
        to_json({{'experiment': ['email_push', 'onboarding_checklist', 'new_colours'][n],
            'arm': [arm, case when has_checklist then 'checklist' else 'control' end,
                case when has_colours then 'colours' else 'control' end][n]}})::varchar
    from app_user, unnest([1, 2, 3]) as t(n)
    where trial_ms is not null
        and (n = 1 or trial_ms >= (select from_ms from month where m = {initiatives_from}))
    union all select idx, 'track', 'Push Sent', trial_ms + n * 3 * {day} + 7200000, true,
        to_json({{'message_id': 'push-' || left(uid('push', idx), 8) || '-' || n,
            'campaign_id': 'push_tips'}})::varchar
    from app_user, unnest([1, 2, 3]) as t(n) where trial_ms is not null and arm in ('push', 'both')
    union all select idx, 'track', 'Push Opened', trial_ms + n * 3 * {day} + 9200000, true,
        to_json({{'message_id': 'push-' || left(uid('push', idx), 8) || '-' || n,
            'campaign_id': 'push_tips'}})::varchar
    from app_user, unnest([1, 2, 3]) as t(n)
    where trial_ms is not null and arm in ('push', 'both') and r('push open', idx * 4 + n) < 0.35
    union all select idx, 'track', 'Checkout Started', checkout_ms, true,
        to_json({{'order_id': 'ord-' || left(user_id, 12), 'plan': plan}})::varchar
    from app_user where checkout_ms is not null
    union all select idx, 'track', 'Checkout Failed', checkout_ms + 45000, true,
        to_json({{'order_id': 'ord-' || left(user_id, 12),
            'error_code': case when meets_bug then 'PAY_402_WIDGET' else 'CARD_DECLINED' end
        }})::varchar
    from app_user where checkout_ms is not null and has_failed
    union all select idx, 'track', 'Checkout Started', paid_ms - 120000, true,
        to_json({{'order_id': 'ord-' || left(user_id, 12), 'plan': plan}})::varchar
    from app_user where paid_ms is not null and has_failed
    union all select idx, 'track', 'Order Completed', paid_ms - 1000, true,
        to_json({{'order_id': 'ord-' || left(user_id, 12), 'total': amount, 'currency': 'USD',
            'plan': plan}})::varchar
    from app_user where paid_ms is not null
    union all select idx, 'track', 'Subscription Started', paid_ms, true,
        to_json({{'subscription_id': subscription_id, 'plan': plan, 'amount': amount,
            'currency': 'USD'}})::varchar
    from app_user where paid_ms is not null
    union all select idx, 'track', 'Subscription Renewed', paid_ms + n * 30 * {day}, true,
        to_json({{'subscription_id': subscription_id, 'plan': plan, 'amount': amount,
            'currency': 'USD'}})::varchar
    from app_user, unnest(range(1, 61)) as t(n)
    where paid_ms + n * 30 * {day} between {from_ms} and {to_ms}
        and paid_ms + n * 30 * {day} < coalesce(cancel_ms, 9000000000000)
    union all select idx, 'track',
        case when r('invoice fails', idx * 100 + n) < 0.04 then 'Invoice Failed'
            else 'Invoice Paid' end,
        paid_ms + n * 30 * {day} + 2000, true,
        to_json({{'invoice_id': 'inv-' || left(user_id, 12) || '-' || n, 'amount': amount,
            'currency': 'USD'}})::varchar
    from app_user, unnest(range(0, 61)) as t(n)
    where paid_ms + n * 30 * {day} between {from_ms} and {to_ms}
        and paid_ms + n * 30 * {day} < coalesce(cancel_ms, 9000000000000)
    union all select idx, 'track', 'Subscription Cancelled', cancel_ms, true,
        to_json({{'subscription_id': subscription_id, 'reason': cancel_reason}})::varchar
    from app_user where cancel_ms is not null
)
select steps.*, 'plan|' || idx || '|' || at_ms || '|' || type || coalesce(event, '') as k,
    1 as device_number
from steps where at_ms >= {from_ms} and at_ms < {to_ms}
union all
select idx, 'identify', null, shared_ms, true, '{{}}', 'shared|' || idx, 3
from (
    select idx, signup_ms + 3600000 + whole_seconds(r('shared login', idx) * 2 * {day}) as shared_ms
    from app_user where shares_device
)
where shared_ms >= {from_ms} and shared_ms < {to_ms}
"""

# Sessions: steady use over the month, more of it in the first weeks of a trial.
_SESSIONS = """
create or replace temp table session as
with spans as (
    select
        app_user.*, m, greatest(month.from_ms, arrived_ms) as a, least(month.to_ms, stops_ms) as b
    from app_user join month on m between {first_month} and {last_month}
),
counted as (
    select
        *,
        floor((b - a) / {day}::double * case when paid_ms is not null then 0.08 else 0.04 end
            + r('sessions', idx || '|' || m))::bigint as session_count
    from spans where b > a
),
trials as (
    select
        *,
        floor(power(r('eagerness', idx), 1.2)
            * case persona when 'builder' then 9 when 'saver' then 5 else 7 end)::bigint
            as session_count
    from app_user
    where trial_ms < {to_ms} and trial_ms + 25 * {day} > {from_ms}
),
starts as (
    select
        idx, idx || '|' || m || '|' || i as s,
        whole_seconds(a + r('at', idx || '|' || m || '|' || i) * (b - a)) as start_ms
    from counted, unnest(range(session_count)) as t(i)
    union all
    select idx, idx || '|t|' || i,
        trial_ms + 300000
            + whole_seconds(power(r('trial use', idx || '|' || i), 1.7) * 24 * {day})
    from trials, unnest(range(session_count)) as t(i)
)
select
    starts.*,
    case
        when start_ms < signup_ms then 1
        when shares_device and r('on shared', s) < 0.35 then 3
        when r('on second', s) < 0.2 then 2
        else 1
    end as device_number,
    start_ms >= signup_ms + 5000 as can_log_in,
    (1 + floor(-ln(1 - r('pages', s)) * {pages}))::integer as page_count,
    (1 + floor(-ln(1 - r('uses', s)) * 2.3))::integer as use_count
from starts join app_user using (idx)
where start_ms >= {from_ms} and start_ms < {to_ms}
    and start_ms not between signup_ms - 900000 and signup_ms + 5000
"""

_USE = """
select
    idx,
    case when j = login_at then 'identify' when j < login_at or not can_log_in
        or u < 0.16 then case when device_type in ('ios', 'android') then 'screen' else 'page' end
        else 'track' end as type,
    case when j = login_at then null
        when j < login_at or not can_log_in or u < 0.16
            then choose(['Home', 'Pricing', 'Docs', 'Dashboard', 'Reports', 'Billing'], v)
        when u < 0.20 then 'Signed In'
        when u < 0.72 then 'Feature Used'
        when u < case when is_poor then 0.86 else 0.77 end then 'Feature Failed'
        when u < 0.90 then 'Help Searched'
        when u < 0.96 then 'Usage Recorded'
        when u < 0.98 then 'Referral Sent'
        else 'Signed Out' end as event,
    at_ms,
    can_log_in and j >= login_at as known,
    case when j <= login_at or not can_log_in or u < 0.20 then '{{}}'
        when u < 0.72 then to_json({{'feature_id': choose(
            ['reports', 'dashboards', 'alerts', 'exports', 'automations', 'sharing'], v),
            'duration_seconds': (5 + floor(v * 977) % 300)::integer}})::varchar
        when u < case when is_poor then 0.86 else 0.77 end then to_json({{
            'feature_id': choose(['exports', 'automations', 'reports'], v),
            'error_code': choose(['E_TIMEOUT', 'E_EXPORT', 'E_SYNC'], v)}})::varchar
        when u < 0.90 then to_json({{
            'query': choose(['invoice', 'export', 'invite user', 'limit', 'cancel'], v),
            'answered': v < 0.7}})::varchar
        when u < 0.96 then to_json({{'used': floor(v * 1.1 * plan_limit)::integer,
            'limit': plan_limit}})::varchar
        when u < 0.98 then to_json({{'referral_code': 'REF' || idx % 97}})::varchar
        else '{{}}' end as properties,
    k,
    device_number
from (
    select
        session.*, is_poor, device_type,
        case plan when 'starter' then 500 when 'team' then 2000 else 10000 end as plan_limit,
        j, s || '|' || j as k,
        case when device_number = 3 then 0 else page_count end as login_at,
        start_ms + j * 41000 + floor(r('pace', s || '|' || j) * 30000)::bigint as at_ms,
        r('use', s || '|' || j) as u, r('what', s || '|' || j) as v
    from session join app_user using (idx),
        unnest(range(page_count + case when can_log_in then use_count + 1 else 0 end)) as t(j)
)
"""

_VISITORS = """
select
    null::bigint as idx, 'page' as type, choose(['Home', 'Pricing', 'Docs', 'Blog'], r('vp', k))
        as event,
    from_ms + whole_seconds(r('visit', v) * (to_ms - from_ms)) + j * 52000 as at_ms,
    false as known, '{{}}' as properties, k, v
from (
    select from_ms, to_ms - 600000 as to_ms, j, m || '|v|' || i as v, m || '|v|' || i || '|' || j
        as k
    from month, unnest(range((n * {visitors_a_person})::bigint)) as t(i), unnest(range(3)) as u(j)
    where m between {first_month} and {last_month}
        and j <= 3 * r('visit length', m || '|v|' || i)
)
"""

_STAFF_USE = """
select -1 - staff_no::bigint as idx,
    case j when 0 then 'identify' else 'track' end as type,
    case j when 0 then null else 'Feature Used' end as event,
    from_ms + (staff_no + 9) * 3600000 + j * 60000 + staff_no * {day} as at_ms, true as known,
    case j when 0 then '{{}}' else '{{"feature_id":"reports","duration_seconds":30}}' end
        as properties,
    'staff|' || m || '|' || staff_no || '|' || j as k, 1 as device_number
from staff, month, unnest(range(4)) as t(j)
where staff_no in (1, 4, 7) and m between {first_month} and {last_month}
"""

_CALLS = """
create or replace temp table app_call as
with calls as (
    select * from ({planned})
    union all select * from ({use})
    union all select * from ({staff})
),
placed as (
    select
        calls.* exclude (device_number),
        coalesce(
            case device_number when 1 then anonymous_1 when 2 then anonymous_2
                else anonymous_shared end,
            uid('staff anonymous', calls.idx)) as anonymous_id,
        coalesce(case device_number when 1 then device_1 when 2 then device_2
            else device_shared end, uid('staff device', calls.idx)) as device_id,
        coalesce(case device_number when 1 then device_type when 2 then second_type
            else 'desktop' end, 'desktop') as device_type,
        coalesce(app_user.user_id, 'usr_staff' || (-calls.idx)) as account
    from calls left join app_user using (idx)
    union all
    select * exclude (v), uid('visitor', v), uid('visitor device', v),
        choose(['desktop', 'mobile_web'], r('visitor type', v)), null
    from ({visitors})
)
select
    * exclude (week), uid('message', k) as message_id,
    case when r('skewed', k) < {clock_skew}
        then (floor(r('skew', k) * 7200) - 3600)::bigint * 1000 else 0 end as skew_ms,
    (200 + floor(r('delay', k) * 1800))::bigint as delay_ms,
    case when type in ('identify', 'alias', 'group') or known then account end as user_id,
    case
        when device_type in ('ios', 'mobile_web') and at_ms between {bug_from} and {bug_to}
            then '{bug_version}'
        else '4.' || (week // 26) || '.' || (week // 4 % 7 + 3)
    end as app_version,
    night_of(at_ms, k) as night
from (
    select *, (at_ms - (select from_ms from month where m = 0)) // (7 * {day}) as week from placed
)
where at_ms >= {from_ms} and at_ms < {to_ms} + 21600000
"""

_TRUTH = """
insert into truth_event
select 'segment', case when type in ('track', 'page', 'screen') then 'events' else type end,
    message_id || '|' || type || '|' || coalesce(event, ''), idx, at_ms, night,
    anonymous_id, event, null, user_id
from app_call
"""

_LINES = """
insert into out_app
select 'segment', 'events', k, app_call.idx, at_ms, night,
    to_json({{
        'messageId': message_id, 'type': app_call.type,
        'event': case when app_call.type = 'track' then event end,
        'name': case when app_call.type in ('page', 'screen') then event end,
        'anonymousId': anonymous_id,
        'userId': app_call.user_id,
        'previousId': case when app_call.type = 'alias' then anonymous_id end,
        'groupId': case when app_call.type = 'group' then 'grp_'
            || lpad(to_hex(scramble(company.company_no, 1597334677, 23)), 8, '0') end,
        'originalTimestamp': iso(at_ms + skew_ms),
        'sentAt': iso(at_ms + skew_ms + delay_ms),
        'receivedAt': iso(at_ms + delay_ms),
        'timestamp': iso(at_ms),
        'context': {{
            'device': {{'id': device_id, 'type': device_type}},
            'app': {{'version': app_version}},
            'library': {{'name': case device_type when 'ios' then 'analytics-ios'
                when 'android' then 'analytics-kotlin' else 'analytics.js' end}},
            'campaign': {{'name': case when touched then 'spring_launch' end,
                'id': case when touched then 'cmp-ad-1' end}},
            'page': {{'path': case when app_call.type = 'page' then '/' || lower(event) end,
                'referrer': case when app_call.type = 'page' and touched
                    then 'https://search.example/' end}},
            'locale': choose(['en-US', 'en-GB', 'de-DE', 'fr-FR'], r('locale', device_id)),
            'consent': {{'analytics': r('consent', device_id) >= 0.03}}
        }},
        'properties': properties::json,
        'traits': case when app_call.type = 'identify' then to_json({{
            'email': coalesce(record.email, staff.email),
            'first_name': coalesce(record.first_name, staff.first_name),
            'last_name': coalesce(record.last_name, staff.last_name),
            'phone': record.phone, 'plan': app_user.plan,
            'company': company.name, 'created_at': iso(signup_ms)
        }}) when app_call.type = 'group' then to_json({{'name': company.name}})
        else '{{}}'::json end
    }})::varchar
from (select *, type = 'page' and r('touched', message_id) < 0.1 as touched from app_call)
    as app_call
left join (select idx, plan, company_no, signup_ms from app_user) as app_user
    on app_user.idx = app_call.idx
left join record on record.idx = app_call.idx and record.slot_kind = 'user'
left join company on company.company_no = app_user.company_no
left join staff on staff.staff_no = -1 - app_call.idx
"""


def simulate_app(
    world: duckdb.DuckDBPyConnection,
    parameters: DemoParameters,
    months: tuple[int, int],
    *,
    with_lines: bool,
) -> None:
    """Add some months of app events to the truth and, where asked, their lines to out_app.

    Args:
        world: An open world with people, plans and records.
        parameters: Seed and mess.
        months: First and last month; the outcome is the same however they are grouped.
        with_lines: False where every delivery of the months' rows exists already.
    """
    span = world.execute(
        "select min(from_ms), max(to_ms) from month where m between ? and ?", list(months)
    ).fetchone()
    assert span is not None
    values: dict[str, object] = {
        "first_month": months[0],
        "last_month": months[1],
        "from_ms": span[0],
        "to_ms": span[1],
        "day": DAY,
    }
    # As many calls before login as the rate says, at the pace of those after it.
    anonymous = parameters.mess.anonymous_events / (1 - parameters.mess.anonymous_events)
    values |= {
        "pages": _PAGES_A_SESSION * anonymous,
        "visitors_a_person": anonymous,
        "initiatives_from": INITIATIVES_FROM_MONTH,
        "poor_code": POOR_EXPERIENCE_CODE,
    }
    bug_from = f"(select from_ms from month where m = {BUG_FROM_MONTH})"
    world.execute(_SESSIONS.format(**values))
    world.execute(
        _CALLS.format(
            planned=_PLANNED.format(**values),
            use=_USE.format(**values),
            staff=_STAFF_USE.format(**values),
            visitors=_VISITORS.format(**values),
            clock_skew=parameters.mess.clock_skew,
            bug_from=bug_from,
            bug_to=f"{bug_from} + {BUG_WEEKS} * 7 * {DAY}",
            bug_version=BUG_VERSION,
            **values,
        )
    )
    world.execute(_TRUTH)
    if with_lines:
        world.execute(_LINES.format(**values))
