"""Whose events are: the demo company's touchpoints against the truth's `events`.

An event is on its person where its customer holds a record of that person. A device is shared
where it shows events of several persons; on it a login decides whose what follows is.
"""

from __future__ import annotations

import duckdb

from benchmarks.document import table
from orchestration.keys import hmac_blocks, pseudonym_key
from orchestration.settings import Settings

COLUMNS = (
    "events", "of a person", "on that person", "on another", "on nobody", "of nobody",
    "put on somebody",
)  # fmt: skip

_EVENTS = """
create table told as
select
    left(sha256(getvariable('key_outer') || unhex(sha256(getvariable('key_inner')
        || encode(source || '/' || entity || '/' || event_id)))), 32) as touchpoint_id,
    source, person_id, occurred_at,
    case when source = 'segment' then split_part(event_id, '|', 1) end as message_id
from read_parquet('{truth}/events.parquet')
"""

_JUDGED = """
create table judged as
with owners as (
    select touchpoint_id, customer_id from warehouse.journey.fct_touchpoints
    union all
    select touchpoint_id, null from warehouse.journey.fct_unattributed_touchpoints
),
people as (
    select distinct customer_id, person_id
    from warehouse.identity.customer_records
    inner join read_parquet('{truth}/records.parquet') as records
        on record_key = source || '/' || entity || '/' || record_id
),
messages as (
    select distinct message_id, anonymous_id, user_id from warehouse.staging.stg_segment__events
),
beside_devices as (
    select told.*, anonymous_id, user_id
    from told left join messages using (message_id)
),
devices as (
    select anonymous_id, count(distinct person_id) > 1 as is_shared
    from beside_devices where anonymous_id is not null group by anonymous_id
),
logins as (
    select anonymous_id, min(logged_in_at) as first_login_at
    from warehouse.journey.int_device_logins group by anonymous_id
)
select
    told.touchpoint_id, told.source, told.person_id, owners.customer_id,
    people.person_id is not null as is_right, coalesce(is_shared, false) as is_shared,
    case
        when told.source <> 'segment' then 'no device'
        when user_id is not null then 'named'
        when first_login_at is null then 'no login'
        when occurred_at >= first_login_at then 'after login'
        else 'before login'
    end as way
from beside_devices as told
inner join owners using (touchpoint_id)
left join people on people.customer_id = owners.customer_id and people.person_id = told.person_id
left join devices using (anonymous_id)
left join logins using (anonymous_id)
"""

_ROWS = (
    ("all", "true"),
    ("outside the app", "way = 'no device'"),
    ("app: the event names its user", "way = 'named'"),
    ("app: anonymous, after a login on the device", "way = 'after login'"),
    ("app: anonymous, before the first login", "way = 'before login'"),
    ("app: no login on the device", "way = 'no login'"),
    ("shared device: the event names its user", "is_shared and way = 'named'"),
    ("shared device: after a login", "is_shared and way = 'after login'"),
    ("shared device: before the first login", "is_shared and way = 'before login'"),
)


def attribution(settings: Settings) -> str:
    """The table: a row per kind of event that there is, of a home whose marts are built."""
    rows = [(name, counts) for name, counts in counted(settings) if any(counts)]
    return table(COLUMNS, [[name, *map(_count, counts)] for name, counts in rows])


def counted(settings: Settings) -> list[tuple[str, tuple[int, ...]]]:
    """Counts by kind of event, in the order of `COLUMNS`."""
    inner, outer = hmac_blocks(pseudonym_key(settings))
    with duckdb.connect() as connection:
        connection.execute("set variable key_inner = ?::blob", [inner])
        connection.execute("set variable key_outer = ?::blob", [outer])
        connection.execute(f"attach '{settings.warehouse}' as warehouse (read_only)")
        connection.execute(_EVENTS.format(truth=settings.truth))
        connection.execute(_JUDGED.format(truth=settings.truth))
        return [(name, _measured(connection, condition)) for name, condition in _ROWS]


def _measured(connection: duckdb.DuckDBPyConnection, condition: str) -> tuple[int, ...]:
    row = connection.execute(
        f"""
        select
            count(*) filter (person_id is not null),
            count(*) filter (person_id is not null and is_right),
            count(*) filter (person_id is not null and customer_id is not null and not is_right),
            count(*) filter (person_id is not null and customer_id is null),
            count(*) filter (person_id is null),
            count(*) filter (person_id is null and customer_id is not null)
        from judged where {condition}
        """
    ).fetchone()
    assert row is not None
    return tuple(int(value) for value in row)


def _count(value: int) -> str:
    return f"{value:,}"
