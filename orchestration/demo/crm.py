"""HubSpot's exports: contacts, companies, deals, owners, calls, meetings."""

from __future__ import annotations

import duckdb

from orchestration.demo.world import DAY

# The vendor finds some companies twice and merges them: contacts point at the copy until then.
_TWINS = """
create table company_twin as
select
    company_no, company_id,
    (5000000 + scramble(company_no + 500000000, 48271, 5) % 90000000 * 10
        + company_no % 10)::varchar as twin_id,
    created_ms + {day} as found_ms, created_ms + 60 * {day} as united_ms
from company where r('company twin', company_no) < 0.03
"""

# Versions: as created, as a customer, and (vendor merges) survivor and archived loser; a few
# contacts are deleted.
_CONTACTS = """
insert into out_row
with merges as (
    select idx, record_id as loser_id, created_ms + 20 * {day} as merged_ms
    from record where slot_kind = 'duplicate' and r('merged', idx) < 0.5
),
versions as (
    select record.*, created_ms as updated_ms, 'lead' as stage, null as merged, null as archived_ms
    from record where entity = 'contacts'
    union all
    select record.*, greatest(paid_ms, created_ms) + 3600000 - paid_ms % 1000, 'customer', null,
        null
    from record where slot_kind = 'contact' and paid_ms is not null
    union all
    select record.*, merged_ms, case when paid_ms < merged_ms then 'customer' else 'lead' end,
        loser_id, null
    from record join merges using (idx) where slot_kind = 'contact'
    union all
    select record.*, merged_ms, 'lead', null, merged_ms
    from record join merges using (idx) where slot_kind = 'duplicate'
    union all
    select record.*, created_ms + 90 * {day}, 'lead', null, created_ms + 90 * {day}
    from record anti join merges using (idx)
    where slot_kind = 'contact' and paid_ms is null and r('deleted', idx) < 0.015
),
carried as (
    select * replace (
        max(merged) over (partition by record_id order by updated_ms) as merged
    ) from versions
)
select 'hubspot', 'contacts', record_id || '|' || updated_ms, idx, updated_ms,
    night_of(updated_ms, 'contact' || record_id || updated_ms),
    to_json({{
        'id': record_id,
        'properties': {{
            'email': email, 'hs_additional_emails': extra_emails,
            'firstname': first_name, 'lastname': last_name,
            'jobtitle': choose(['Analyst', 'Head of Operations', 'Engineer', 'Office Manager',
                'Founder'], r('title', idx)),
            'hs_role': choose(['decision_maker', 'user', 'influencer'], r('role', idx)),
            'industry': industry, 'country': country, 'city': city, 'zip': postal_code,
            'date_of_birth': case when r('born', idx) < 0.3 then birth_date end,
            'budget': case when r('budget', idx) < 0.4
                then ((1 + floor(r('budget of', idx) * 40)) * 500)::bigint::varchar end,
            'phone': phone,
            'mobilephone': case when r('mobile', idx) < 0.15 then phone end,
            'lifecyclestage': stage,
            'hubspot_owner_id': owner_id,
            'associatedcompanyid': if(updated_ms < united_ms and r('to twin', idx) < 0.5,
                twin_id, carried.company_id),
            'hs_merged_object_ids': merged,
            'app_user_id': case when stage = 'customer' then app_user_id end
        }},
        'createdAt': isos(created_ms), 'updatedAt': isos(updated_ms),
        'archived': archived_ms is not null, 'archivedAt': isos(archived_ms)
    }})::varchar
from carried
left join (select company_no, industry from company) using (company_no)
left join (select company_no, twin_id, united_ms from company_twin) using (company_no)
join (select staff_no, owner_id from staff) as owner on owner.staff_no = idx % 6
"""

_COMPANIES = """
insert into out_row
with versions as (
    select company_no, company_id, null as name_as_typed, created_ms, created_ms as updated_ms,
        false as is_archived, '' as merged from company
    union all
    select company_no, twin_id, 'Inc.', found_ms, found_ms, false, '' from company_twin
    union all
    select company_no, twin_id, 'Inc.', found_ms, united_ms, true, '' from company_twin
    union all
    select company_no, company_id, null, found_ms - {day}, united_ms, false, twin_id
    from company_twin
)
select 'hubspot', 'companies', versions.company_id || '|' || updated_ms, null, updated_ms,
    night_of(updated_ms, 'company' || versions.company_id || updated_ms),
    concat_ws(',', versions.company_id, csv_cell(concat_ws(' ', name, name_as_typed)), domain,
        industry, country, employee_count, csv_cell(city), isos(versions.created_ms),
        isos(updated_ms), is_archived, merged)
from versions join company using (company_no) join place_row using (place)
"""

_OWNERS = """
insert into out_row
select 'hubspot', 'owners', owner_id, null, created_ms, night_of(created_ms, 'owner' || owner_id),
    concat_ws(',', owner_id, email, first_name, last_name,
        case department when 'sales' then 'New business' else 'Help desk' end, department,
        isos(created_ms), isos(created_ms), 'false')
from staff
"""

_DEALS = """
create table deal as
select
    kind.idx, record_id as contact_id, kind.company_id, owner_id, app_user.plan, app_user.amount,
    (9000000 + scramble(kind.idx, 16807, 3))::varchar as deal_id,
    whole_seconds(trial_ms + 7200000) as opened_ms,
    whole_seconds(coalesce(app_user.paid_ms,
        trial_ms + 32 * {day} + whole_seconds(r('lost at', kind.idx) * 10 * {day}))) + 5000
        as closed_ms,
    app_user.paid_ms is not null as is_won
from kind join app_user using (idx)
join (select idx, record_id from record where slot_kind = 'contact') using (idx)
join staff on staff.staff_no = kind.idx % 6
where trial_ms is not null and app_user.company_no is not null
"""

_DEAL_STEPS = """
create table deal_step as
with steps as (
    select *, least(opened_ms + 4 * {day}, closed_ms - 60000) as demo_ms from deal
)
select idx, deal_id, 'appointmentscheduled' as stage, opened_ms as at_ms from steps
union all
select idx, deal_id, 'presentationscheduled', greatest(demo_ms, opened_ms + 1000) from steps
union all
select idx, deal_id, if(is_won, 'closedwon', 'closedlost'), greatest(closed_ms, opened_ms + 2000)
from steps
"""

_DEAL_LINES = """
insert into out_row
with steps as (
    select *, least(opened_ms + 4 * {day}, closed_ms - 60000) as demo_ms from deal
),
versions as (
    select *, opened_ms as updated_ms, 1 as step from steps
    union all select *, greatest(demo_ms, opened_ms + 1000), 2 from steps
    union all select *, greatest(closed_ms, opened_ms + 2000), 3 from steps
)
select 'hubspot', 'deals', deal_id || '|' || updated_ms, idx, updated_ms,
    night_of(updated_ms, 'deal' || deal_id || step),
    to_json({{
        'id': deal_id,
        'properties': {{
            'dealname': 'Subscription ' || plan,
            'dealstage': case step when 1 then 'appointmentscheduled' when 2
                then 'presentationscheduled' else if(is_won, 'closedwon', 'closedlost') end,
            'pipeline': 'default', 'amount': (amount * 12)::varchar, 'deal_currency_code': 'USD',
            'closed_lost_reason': case when step = 3 and not is_won
                then choose(['price', 'no decision', 'missing feature', 'competitor'],
                    r('lost', idx)) end,
            'competitor': case when step = 3 and not is_won and r('lost', idx) >= 0.75
                then choose(['Acme Analytics', 'Datapath'], r('competitor', idx)) end,
            'hubspot_owner_id': owner_id,
            'closedate': case when step = 3 then isos(updated_ms) end
        }},
        'associations': {{
            'contacts': {{'results': [{{'id': contact_id}}]}},
            'companies': {{'results': [{{'id': company_id}}]}}
        }},
        'propertiesWithHistory': {{'dealstage': list_slice([
            {{'value': 'appointmentscheduled', 'timestamp': isos(opened_ms), 'sourceType': 'CRM'}},
            {{'value': 'presentationscheduled',
                'timestamp': isos(greatest(demo_ms, opened_ms + 1000)), 'sourceType': 'CRM'}},
            {{'value': if(is_won, 'closedwon', 'closedlost'),
                'timestamp': isos(greatest(closed_ms, opened_ms + 2000)), 'sourceType': 'CRM'}}
        ], 1, step)}},
        'createdAt': isos(opened_ms), 'updatedAt': isos(updated_ms), 'archived': false
    }})::varchar
from versions
"""

_TALKS = """
create table talk as
select
    deal.*, n,
    case when n = 3 then 'meetings' else 'calls' end as entity,
    (60000000 + scramble(idx * 4 + n, 48271, 9))::varchar as talk_id,
    opened_ms + whole_seconds(r('talk', idx * 4 + n) * greatest(closed_ms - opened_ms, 3600000))
        as at_ms
from deal, unnest([1, 2, 3]) as t(n)
where r('talks', idx * 4 + n) < 0.6
"""

_TALK_LINES = """
insert into out_row
select 'hubspot', entity, talk_id, idx, at_ms, night_of(at_ms + 1800000, 'talk' || talk_id),
    case entity when 'calls' then to_json({{
        'id': talk_id,
        'properties': {{
            'hs_call_title': 'Call about ' || plan, 'hs_call_direction':
                if(r('inbound', talk_id) < 0.3, 'INBOUND', 'OUTBOUND'),
            'hs_call_disposition': choose(['connected', 'left_voicemail', 'no_answer'],
                r('disposition', talk_id)),
            'hs_call_duration': (floor(r('length', talk_id) * 1200) * 1000)::bigint,
            'hubspot_owner_id': owner_id, 'hs_timestamp': isos(at_ms)
        }},
        'associations': {{'contacts': {{'results': [{{'id': contact_id}}]}}}},
        'createdAt': isos(at_ms), 'updatedAt': isos(at_ms + 1800000), 'archived': false
    }})::varchar else to_json({{
        'id': talk_id,
        'properties': {{
            'hs_meeting_title': 'Demo of ' || plan,
            'hs_meeting_outcome': choose(['COMPLETED', 'COMPLETED', 'NO_SHOW'],
                r('outcome', talk_id)),
            'hs_meeting_start_time': isos(at_ms), 'hs_meeting_end_time': isos(at_ms + 1800000),
            'hubspot_owner_id': owner_id
        }},
        'associations': {{'contacts': {{'results': [{{'id': contact_id}}]}}}},
        'createdAt': isos(at_ms), 'updatedAt': isos(at_ms + 1800000), 'archived': false
    }})::varchar end
from talk
"""

_TALK_TRUTH = """
insert into truth_event
select source, entity, row_key, idx, at_ms, night, null, null, null, null
from out_row where source = 'hubspot' and entity in ('calls', 'meetings')
"""


# What is delivered of a deal's history comes with the first version that has it.
_DEAL_TRUTH = """
insert into truth_event
with versions as (
    select idx, split_part(row_key, '|', 1) as deal_id, at_ms, night
    from out_row where source = 'hubspot' and entity = 'deals'
)
select 'hubspot', 'deals', deal_id || '|' || stage || '|' || deal_step.at_ms, deal_step.idx,
    deal_step.at_ms, min(versions.night), null, null, null, null
from deal_step join versions using (deal_id)
where versions.at_ms >= deal_step.at_ms
group by all
"""


def simulate_crm(world: duckdb.DuckDBPyConnection) -> None:
    """Add HubSpot's rows to out_row and its calls, meetings and deals to the truth."""
    for statement in (
        _TWINS,
        _CONTACTS,
        _COMPANIES,
        _OWNERS,
        _DEALS,
        _DEAL_STEPS,
        _DEAL_LINES,
        _TALKS,
        _TALK_LINES,
    ):
        world.execute(statement.format(day=DAY))
    world.execute(_TALK_TRUTH)
    world.execute(_DEAL_TRUTH)
