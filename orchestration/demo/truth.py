"""The truth beside the demo company: who is who, what happened, what was planted.

Only what has been delivered by the last night is true here; the pipeline never reads it.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path

import duckdb

from orchestration.demo import names, plans, truth_of_sources
from orchestration.demo.parameters import DemoParameters, Mess
from orchestration.demo.world import DAY

_DELIVERED = """
create table delivered_record as
with known as (
    select source, entity, split_part(row_key, '|', 1) as record_id, min(night) as night
    from out_row where idx is not null and row_key not like 'broken%' group by all
    union all
    select 'segment', 'users', user_id, min(night)
    from truth_event where entity = 'identify' and idx >= 0 group by all
)
select record.*, night from record join known using (source, entity, record_id)
where night <= date '{last}'
"""

_RECORDS = """
select source, entity, record_id, person_id, difficulties, to_ts(created_ms) as created_at
from delivered_record join person using (idx)
order by source, entity, record_id
"""

_PERSONS = """
select distinct person_id, person.persona, [{goals}[person.persona]] as goals, person.country,
    in_household,
    case when in_household then 'household-' || lpad((person.idx // 2)::varchar, 7, '0') end
        as household_id,
    person.shares_device, shares_inbox, has_several_emails, has_recycled_phone,
    person.idx in (select idx from delivered_record where list_contains(difficulties, 'fuzzy_only'))
        as has_fuzzy_record,
    coalesce(is_poor, false) as had_poor_experience,
    to_ts(person.arrived_ms) as arrived_at
from delivered_record join person using (idx) left join app_user using (idx)
order by person_id
"""

_EVENTS = """
create table owned_event as
with logins as (
    select anonymous_id, min(night) as night from truth_event
    where entity = 'identify' group by all having min(night) <= date '{last}'
),
owners as (
    select distinct idx, source from delivered_record where slot_kind <> 'duplicate'
)
select
    truth_event.* exclude (idx),
    case
        when truth_event.source = 'segment' and user_id is null and logins.night is null then null
        when owners.idx is not null then truth_event.idx
    end as idx
from truth_event
left join logins using (anonymous_id)
left join owners on owners.idx = truth_event.idx and owners.source = truth_event.source
where truth_event.night <= date '{last}'
    and truth_event.entity not in ('identify', 'group', 'alias')
"""

_EVENT_ROWS = """
select source, entity, event_id, person_id, to_ts(at_ms) as occurred_at
from owned_event left join person using (idx)
order by source, entity, event_id
"""

# The rules of trial_to_paid, on the events a person owns.
_STAGE_VISITS = """
with mine as (
    select idx, name, at_ms from owned_event
    where idx is not null and user_id is not null
        and name in ('Trial Started', 'Feature Used', 'Checkout Started', 'Subscription Started')
),
trials as (
    select idx, min(at_ms) as t0, min(at_ms) + 30 * {day} as deadline
    from mine where name = 'Trial Started' group by idx
),
after as (
    select mine.*, t0, deadline,
        row_number() over (partition by idx, name order by at_ms) as nth
    from mine join trials using (idx) where at_ms >= t0
),
entries as (
    select idx, deadline, 'trial' as stage, 1 as place, t0 as entered from trials
    union all select idx, deadline, 'activated', 2, at_ms from after
    where name = 'Feature Used' and nth = 3
    union all select idx, deadline, 'checkout', 3, at_ms from after
    where name = 'Checkout Started' and nth = 1
    union all select idx, deadline, 'paid', 4, at_ms from after
    where name = 'Subscription Started' and nth = 1
),
valid as (
    select *, max(entered) filter (where stage = 'paid') over (partition by idx) as paid
    from entries where entered < deadline
),
visits as (
    select *, lead(entered) over (partition by idx order by entered, place) as next_entered
    from valid where paid is null or entered <= paid
)
select
    person_id, 'trial_to_paid' as journey, stage, 1 as visit_number, to_ts(entered) as entered_at,
    to_ts(case
        when next_entered is not null then next_entered
        when paid is null and deadline <= {as_of} then deadline
    end) as left_at,
    case when next_entered is not null then 'move'
        when paid is null and deadline <= {as_of} then 'deadline' end as left_by,
    case when paid is not null then 'converted' when deadline <= {as_of} then 'expired' end
        as outcome,
    to_ts(case when paid is not null then paid when deadline <= {as_of} then deadline end)
        as ended_at
from visits join person using (idx)
order by person_id, entered, visits.place
"""

_FRICTIONS = """
select 'checkout_bug' as friction, 'checkout' as stage, ['ios', 'mobile_web'] as device_types,
    '{bug_version}' as app_version, 'Checkout Failed' as event, 'PAY_402_WIDGET' as error_code,
    to_ts(from_ms) as started_at, to_ts(from_ms + {bug_weeks} * 7 * {day}) as ended_at,
    {bug_rate}::double as rate, {plain_rate}::double as usual_rate
from month where m = {bug_month}
union all
select 'slow_handoff', 'support', null, null, 'group_id changed from 360001 to 360002', null,
    null, null, {handoff}::double, {plain}::double
"""

_EFFECTS = """
select * from (values
    ('email_push', 'experiment', 'email', {email}::double, 'conversion'),
    ('email_push', 'experiment', 'push', {push}, 'conversion'),
    ('email_push', 'experiment', 'both', {both}, 'conversion'),
    ('email_push', 'experiment', 'holdout', 0, 'conversion'),
    ('onboarding_checklist', 'initiative', 'checklist', {working}, 'conversion'),
    ('new_colours', 'initiative', 'colours', {idle}, 'conversion'),
    ('finish_your_setup', 'campaign', 'sent', {campaign}, 'click given open'),
    ('poor_experience', 'cause', 'first', {first}, 'ratio of monthly churn'),
    ('poor_experience', 'cause', 'second', {second}, 'ratio of monthly churn'),
    ('poor_experience', 'cause', 'third', {third}, 'ratio of monthly churn')
) as t(name, kind, arm, effect, outcome)
"""

_POOR_EXPERIENCES = """
select person_id, number, event_id, to_ts(at_ms) as occurred_at
from (
    select idx, n as number, [poor_1_ms, poor_2_ms, poor_3_ms][n] as at_ms
    from app_user, unnest([1, 2, 3]) as t(n)
)
join (select idx, at_ms, event_id from owned_event where name = 'Feature Failed')
    using (idx, at_ms)
join person using (idx)
order by person_id, number
"""

_MOODS = """
select source, entity, event_id, person_id, mood, to_ts(at_ms) as occurred_at
from owned_event join person using (idx) where mood is not null order by source, entity, event_id
"""

_REASONS = """
select person_id, 'cancelled' as outcome, cancel_reason as reason,
    coalesce(poor_1_ms < cancel_ms, false) as had_poor_experience, to_ts(cancel_ms) as occurred_at
from app_user join person using (idx) join owned_event using (idx)
where name = 'Subscription Cancelled'
order by person_id
"""

_BROKEN = """
select source, entity, greatest(night, date '{first}') as night, fault, line
from broken where night <= date '{last}' order by all
"""


def _mess_rows(mess: Mess) -> str:
    """The planted rates and nights as SQL."""
    rows = ", ".join(f"('{kind}', {value}::double)" for kind, value in asdict(mess).items())
    return f"select * from (values {rows}) as t(kind, rate) order by kind"


def write_truth(
    world: duckdb.DuckDBPyConnection,
    folder: Path,
    parameters: DemoParameters,
    first_night: date,
    last_night: date,
) -> dict[str, int]:
    """Write `truth/<table>.parquet` as of the last night.

    Args:
        world: The simulated world.
        folder: The home's truth folder.
        parameters: What the company was made from.
        first_night: The night that delivered the history.
        last_night: The last night delivered; what came later is not true yet.

    Returns:
        Row counts by table.
    """
    folder.mkdir(parents=True, exist_ok=True)
    as_of = f"epoch_ms(timestamp '{last_night + timedelta(days=1)}')"
    values = {"last": last_night, "first": first_night, "day": DAY, "as_of": as_of}
    world.execute("create or replace macro to_ts(ms) as make_timestamp(ms::bigint * 1000)")
    world.execute(_DELIVERED.format(**values))
    world.execute(_EVENTS.format(**values))
    arms = plans.ARM_EFFECTS
    tables = {
        "persons": _PERSONS.format(goals=names.sql_map(names.GOALS)),
        "records": _RECORDS,
        "events": _EVENT_ROWS,
        "stage_visits": _STAGE_VISITS.format(**values),
        "frictions": _FRICTIONS.format(
            bug_version=plans.BUG_VERSION,
            bug_weeks=plans.BUG_WEEKS,
            bug_month=plans.BUG_FROM_MONTH,
            bug_rate=plans.BUG_FAILURE_RATE,
            plain_rate=plans.PLAIN_FAILURE_RATE,
            handoff=plans.HANDOFF_HOURS,
            plain=plans.PLAIN_HOURS,
            day=DAY,
        ),
        "effects": _EFFECTS.format(
            email=arms["email"],
            push=arms["push"],
            both=arms["both"],
            working=plans.WORKING_INITIATIVE_EFFECT,
            idle=plans.IDLE_INITIATIVE_EFFECT,
            campaign=plans.CAMPAIGN_EFFECT,
            **dict(
                zip(("first", "second", "third"), plans.POOR_EXPERIENCE_CHURN_RATIOS, strict=True)
            ),
        ),
        "moods": _MOODS,
        "consents": truth_of_sources.CONSENTS.format(**values),
        "reasons": _REASONS,
        "deals": truth_of_sources.DEALS,
        "pulses": truth_of_sources.PULSES,
        "poor_experiences": _POOR_EXPERIENCES,
        "mess": _mess_rows(parameters.mess),
        "broken": _BROKEN.format(**values),
    }
    counts: dict[str, int] = {}
    for table, query in tables.items():
        temporary = folder / f".{table}.parquet"
        world.execute(f"copy ({query}) to '{temporary}' (format parquet, compression zstd)")
        temporary.rename(folder / f"{table}.parquet")
        row = world.execute(f"select count(*) from '{folder / table}.parquet'").fetchone()
        counts[table] = int(row[0]) if row else 0
    return counts
