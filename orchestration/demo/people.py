"""Who lives in the demo: staff, companies, persons with the traits that all their records share."""

from __future__ import annotations

import duckdb

from orchestration.demo import names
from orchestration.demo.parameters import DemoParameters

_STAFF = """
create table staff as
select
    i::integer as staff_no,
    (700 + scramble(i, 8121, 17) % 1000000 * 16 + i)::varchar as owner_id,
    (39000000 + i * 271)::varchar as agent_id,
    choose({first}, r('staff first', i)) as first_name,
    choose({head}, r('staff head', i)) || choose({tail}, r('staff tail', i)) as last_name,
    'agent' || i || '@{domain}' as email,
    case when i < 6 then 'sales' else 'support' end as department,
    (select from_ms from month where m = 0) + i * 3600000 as created_ms
from range(12) as t(i)
"""

_COMPANIES = """
create table company as
with numbered as (
    select
        m * 1000000 + i as c,
        row_number() over (order by m, i) - 1 as company_no,
        from_ms + i * 1000 as created_ms
    from month, unnest(range(greatest(2, n // 12))) as t(i)
)
select
    company_no,
    (5000000 + scramble(company_no, 48271, 5) % 90000000 * 10 + company_no % 10)::varchar
        as company_id,
    choose({a}, r('company a', c)) || ' ' || choose({b}, r('company b', c)) || ' '
        || choose({t}, r('company t', c)) as name,
    lower(choose({a}, r('company a', c)) || choose({b}, r('company b', c))) || company_no
        || '.example' as domain,
    choose({industries}, r('company industry', c)) as industry,
    (floor(r('company place', c) * {places_n}))::integer as place,
    (5 + floor(power(r('company size', c), 3) * 2000))::integer as employee_count,
    pick('role mailbox', company_no, {role_mailboxes}) as has_role_mailbox,
    created_ms
from numbered
"""

_PERSONS = """
create table person as
with arrivals as (
    select
        m, first_idx + i as idx, from_ms, to_ms,
        from_ms + whole_seconds(r('arrived', first_idx + i) * (to_ms - from_ms)) as arrived_ms,
        (select count(*) from company where company.created_ms < month.to_ms) as companies
    from month, unnest(range(n)) as t(i)
),
traits as (
    select
        idx, m, arrived_ms,
        idx // 2 as home,
        pick('household', idx // 2, {households}) as in_household,
        pick('shared device', (idx + 1) // 2, {shared_devices}) and idx > 0 as shares_device,
        pick('shared inbox', (idx + 1) // 2, {shared_inboxes}) and idx > 0 as shares_inbox,
        pick('several', idx, {several_emails}) as has_several_emails,
        pick('fuzzy', idx, {fuzzy_only})
            and not (pick('shared inbox', (idx + 1) // 2, {shared_inboxes}) and idx > 0)
            as is_fuzzy,
        pick('recycled', idx, {recycled_phones}) and m >= 3 as has_recycled_phone,
        case when r('employed', idx) < 0.6 then floor(r('employer', idx) * companies)::bigint
        end as company_no,
        choose({personas}, r('persona', idx)) as persona,
        {first}[1 + (floor(r('first', idx) * {first_n})::integer // 2 * 2 + idx % 2)
            % {first_n}] as first_name
    from arrivals
),
with_home as (
    select
        *,
        case when in_household then 'h' || home else 'p' || idx end as home_key
    from traits
),
placed as (
    select
        with_home.*,
        200000000 + scramble(case when in_household then home * 2 else idx end, 69621, 11)
            % 700000000 as own_number,
        choose({head}, r('head', home_key)) || choose({tail}, r('tail', home_key)) as last_name,
        coalesce(
            case when not in_household then company.place end,
            floor(r('place', home_key) * {places_n})::integer
        ) as place,
        case when r('work mail', idx) < 0.5 then company.domain end as work_domain,
        company.has_role_mailbox, company.company_id, company.domain as company_domain
    from with_home left join company using (company_no)
),
-- a number passes on, months later, from a person who arrived three months earlier
recycled as (
    select heir.idx, place_row.dial || giver.own_number::varchar as phone
    from (
        select
            placed.idx,
            month.first_idx + floor(r('recycled of', placed.idx) * month.n)::bigint as giver_idx
        from placed join month on month.m = placed.m - 3
        where has_recycled_phone
    ) as heir
    join placed as giver on giver.idx = heir.giver_idx
    join place_row on place_row.place = giver.place
),
addressed as (
    select
        placed.*,
        place_row.country, place_row.city, place_row.postal_code,
        case
            when has_recycled_phone then recycled.phone
            else place_row.dial || own_number::varchar
        end as phone,
        lower(first_name || '.' || last_name) as local_part,
        coalesce(work_domain, choose({providers}, r('provider', idx))) as mail_domain
    from placed join place_row on place_row.place = placed.place
    left join recycled using (idx)
),
mailed as (
    select
        *,
        row_number() over (partition by local_part, mail_domain order by idx) as mail_rank,
        row_number() over (partition by left(first_name, 1), last_name order by idx) as second_rank
    from addressed
)
select
    * exclude (
        mail_rank, second_rank, local_part, mail_domain, home, home_key, own_number
    ),
    'person-' || lpad(idx::varchar, 7, '0') as person_id,
    local_part || case when mail_rank > 1 then mail_rank::varchar else '' end || '@' || mail_domain
        as email,
    lower(left(first_name, 1) || last_name) || second_rank || '@'
        || choose({providers}, r('second provider', idx)) as second_email,
    'family.' || (idx + 1) // 2 || '@{shared_provider}' as shared_email,
    (date '1950-01-01' + floor(r('birth', idx) * 19000)::integer) as birth_date
from mailed
"""

_PRESENCE = """
create table presence as
with base as (
    select
        idx, is_fuzzy or has_several_emails as needs_two,
        r('has user', idx) < 0.60 or shares_device as has_user,
        r('has member', idx) < 0.60 as member,
        r('has zendesk', idx) < 0.30 or shares_inbox as has_zendesk,
        r('has survey', idx) < 0.20 as has_survey,
        r('has contact', idx) < 0.70 as contact
    from person
)
select
    idx, has_user, has_zendesk, has_survey,
    contact or needs_two or not (has_user or member or has_zendesk or has_survey) as has_contact,
    member or (needs_two and not has_user and not has_zendesk and not has_survey) as has_member
from base
"""


def create_people(world: duckdb.DuckDBPyConnection, parameters: DemoParameters) -> None:
    """Create the tables staff, company, person and presence (which records each person has)."""
    mess = parameters.mess
    world.execute(
        "create table place_row (place integer, country varchar, city varchar, "
        "postal_code varchar, dial varchar)"
    )
    for number, (country, city, postal_code) in enumerate(names.PLACES):
        world.execute(
            "insert into place_row values (?, ?, ?, ?, ?)",
            [number, country, city, postal_code, names.DIAL[country]],
        )
    words = {
        "first": names.sql_list(names.FIRST),
        "first_n": len(names.FIRST),
        "head": names.sql_list(names.LAST_HEAD),
        "tail": names.sql_list(names.LAST_TAIL),
        "places_n": len(names.PLACES),
    }
    world.execute(_STAFF.format(domain=names.OWN_DOMAIN, **words))
    world.execute(
        _COMPANIES.format(
            a=names.sql_list(names.COMPANY_HEAD),
            b=names.sql_list(names.COMPANY_MIDDLE),
            t=names.sql_list(names.COMPANY_TAIL),
            industries=names.sql_list(names.INDUSTRIES),
            role_mailboxes=mess.role_mailboxes,
            **words,
        )
    )
    world.execute(
        _PERSONS.format(
            households=mess.households,
            shared_devices=mess.shared_devices,
            shared_inboxes=mess.shared_inboxes,
            several_emails=mess.several_emails,
            fuzzy_only=mess.fuzzy_only,
            recycled_phones=mess.recycled_phones,
            personas=names.sql_list(list(names.PERSONAS)),
            providers=names.sql_list(names.PROVIDERS),
            shared_provider=names.PROVIDERS[0],
            **words,
        )
    )
    world.execute(_PRESENCE)
