"""The records each person has in the sources, after typos, nicknames and other difficulties."""

from __future__ import annotations

import duckdb

from orchestration.demo import names
from orchestration.demo.parameters import DemoParameters
from orchestration.demo.world import DAY

_KINDS = """
create table kind as
with chosen as (
    select
        person.*, presence.* exclude (idx),
        app_user.signup_ms, app_user.user_id, app_user.paid_ms,
        case
            when not is_fuzzy then null
            when has_survey and r('fuzzy survey', idx) < 0.6 then 'respondent'
            when has_zendesk and r('fuzzy zendesk', idx) < 0.6 then 'support'
            when has_member then 'member'
            when has_zendesk then 'support'
            when has_survey then 'respondent'
            else 'contact'
        end as fuzzy_kind
    from person join presence using (idx) left join app_user using (idx)
)
select
    *,
    case
        when not has_several_emails then null
        when has_user and fuzzy_kind is distinct from 'user' and r('second', idx) < 0.5 then 'user'
        when has_member and fuzzy_kind is distinct from 'member' then 'member'
        when has_zendesk and fuzzy_kind is distinct from 'support' then 'support'
        when has_contact and fuzzy_kind is distinct from 'contact' then 'contact'
        when has_user then 'user'
    end as second_kind,
    case
        when not shares_inbox then null
        when has_survey then 'respondent' when has_zendesk then 'support'
    end as shared_kind
from chosen
"""

_SLOTS = """
    select idx, 'contact' as slot_kind, 'hubspot' as source, 'contacts' as entity,
        (100000 + scramble(idx, 1664525, 101) * 2)::varchar as record_id,
        arrived_ms + 60000 + whole_seconds(r('contact at', idx) * {day}) as created_ms
    from kind where has_contact
    union all
    select idx, 'duplicate', 'hubspot', 'contacts',
        (100001 + scramble(idx, 1664525, 101) * 2)::varchar,
        arrived_ms + 3 * {day} + whole_seconds(r('duplicate at', idx) * 40 * {day})
    from kind where has_contact and pick('duplicate', idx, {vendor_duplicates})
    union all
    select idx, 'member', 'mailchimp', 'members',
        left(md5('{seed} member ' || scramble(idx, 22695477, 1)), 10),
        arrived_ms + 120000 + whole_seconds(r('member at', idx) * 20 * {day})
    from kind where has_member
    union all
    select idx, 'user', 'segment', 'users', user_id, signup_ms from kind where has_user
    union all
    select idx, 'support', 'zendesk', 'users',
        (40000000000 + scramble(idx, 134775813, 7))::varchar,
        arrived_ms + {day} + whole_seconds(r('support at', idx) * 60 * {day})
    from kind where has_zendesk
    union all
    select idx, 'respondent', 'surveys', 'respondents',
        'rsp-' || lpad(to_hex(scramble(idx, 214013, 2531011)), 8, '0'),
        arrived_ms + 2 * {day} + whole_seconds(r('survey at', idx) * 60 * {day})
    from kind where has_survey
"""

_RECORDS = """
create table record as
with slots as ({slots}),
marked as (
    select
        slots.*, kind.* exclude (idx),
        slots.slot_kind || idx as slot,
        coalesce(slot_kind = fuzzy_kind, false) as fuzzy,
        coalesce(slot_kind = shared_kind and slot_kind is distinct from fuzzy_kind, false)
            as shared,
        coalesce(slot_kind = second_kind, false) as second,
        coalesce(slot_kind = 'support' and has_role_mailbox, false)
            and fuzzy_kind is distinct from 'support' and not shares_inbox as role,
        r('typo', slot_kind || idx) < {typos} as typo,
        r('nickname', slot_kind || idx) < {nicknames} as nick
    from slots join kind using (idx)
)
select
    source, entity, slot_kind, record_id, idx, created_ms,
    case
        when role then 'info@' || company_domain
        when shared then shared_email
        when fuzzy and work_domain is null and r('fuzzy mail', slot) < 0.6 then mistyped(email)
        when fuzzy then lower(left(first_name, 1) || '.' || last_name) || '.' || place || idx % 7
            || '@{provider}'
        when slot_kind = 'duplicate' then
            case when r('duplicate mail', slot) < 0.5 then second_email end
        when second then second_email
        when r('upper', slot) < 0.08 then upper(left(email, 1)) || substr(email, 2)
        else email
    end as email,
    case
        when slot_kind <> 'contact' or fuzzy or second_kind is null or r('extra', slot) > 0.7
            then null
        when second then email
        else second_email
    end as extra_emails,
    case
        when nick then coalesce({nickmap}[first_name], left(first_name, 1) || '.')
        else first_name
    end as first_name,
    case
        when typo then mistyped(last_name)
        else last_name
    end as last_name,
    case
        when fuzzy or shared then null
        when slot_kind = 'duplicate' or has_recycled_phone or r('phone', slot) < {phone_rates}
            then phone
    end as phone,
    list_filter([
        case when fuzzy then 'fuzzy_only' end, case when second then 'several_emails' end,
        case when shared then 'shared_inbox' end, case when role then 'role_mailbox' end,
        case when typo then 'typo' end, case when nick then 'nickname' end,
        case when slot_kind = 'duplicate' then 'vendor_duplicate' end,
        case when in_household then 'household' end,
        case when has_recycled_phone and not fuzzy and not shared then 'recycled_phone' end,
        case when shares_device and slot_kind = 'user' then 'shared_device' end
    ], lambda x: x is not null) as difficulties,
    case when slot_kind = 'support' and not fuzzy and r('external', idx) < 0.35
        then user_id end as external_id,
    case when slot_kind = 'contact' and not fuzzy and paid_ms is not null
        and r('synced', idx) < 0.2 then user_id end as app_user_id,
    country, city, postal_code, birth_date, company_id, company_no, paid_ms, persona
from marked
"""


def create_records(world: duckdb.DuckDBPyConnection, parameters: DemoParameters) -> None:
    """Create the table record: one row per record of a person in a source."""
    mess = parameters.mess
    world.execute(_KINDS)
    slots = _SLOTS.format(day=DAY, seed=parameters.seed, vendor_duplicates=mess.vendor_duplicates)
    world.execute(
        _RECORDS.format(
            slots=slots,
            typos=mess.typos,
            nicknames=mess.nicknames,
            nickmap=names.sql_map(names.NICKNAMES),
            provider=names.PROVIDERS[1],
            phone_rates="case slot_kind when 'contact' then 0.75 when 'member' then 0.3 "
            "when 'support' then 0.45 when 'user' then 0.5 else 0.3 end",
        )
    )
