"""How Fivetran's tables of Zendesk become the records that our contracts read.

Each query gives `record` (JSON) and `synced`, the time at which the tool wrote the row. A row's own
columns stay; what the contract reads under another name or in another form is put beside them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mapped:
    """One of our tables.

    Args:
        tables: The tool's tables, each with the columns that the query names.
        query: SQL over them; `utc`, `is_true` and `version_at` are known.
        optional: Tables without which the query still has a meaning.
    """

    tables: dict[str, tuple[str, ...]]
    query: str
    optional: tuple[str, ...] = ()


_USERS = """
select
    _fivetran_synced as synced,
    json_merge_patch(to_json("user"), json_object(
        'created_at', utc(created_at),
        'updated_at', version_at(_fivetran_deleted, _fivetran_synced, updated_at),
        'active', is_true(active) and not is_true(_fivetran_deleted)
    )) as record
from "user"
"""

_TICKETS = """
with tags as (
    select ticket_id, list(distinct tag order by tag) as tags, max(_fivetran_synced) as tagged
    from ticket_tag group by ticket_id
)
select
    greatest(_fivetran_synced, coalesce(tagged, '')) as synced,
    json_merge_patch(to_json(ticket), json_object(
        'created_at', utc(created_at),
        'updated_at', version_at(_fivetran_deleted, _fivetran_synced, updated_at),
        'via', {'channel': via_channel}, 'tags', coalesce(tags, []),
        'status', if(is_true(_fivetran_deleted), 'deleted', status)
    )) as record
from ticket left join tags on tags.ticket_id = ticket.id
"""

_COMMENTS = """
select
    _fivetran_synced as synced,
    json_merge_patch(to_json(ticket_comment), json_object(
        'author_id', user_id, 'created_at', utc(created), 'public', is_true(public)
    )) as record
from ticket_comment
"""

# A change repeated by the tool has the identity of its first writing, so that it counts once.
_EVENTS = """
with changes as (
    select distinct ticket_id, field_name, updated, user_id, value from ticket_field_history
),
ordered as (
    select
        *,
        row_number() over field_changes as place,
        lag(value) over field_changes as previous_value
    from changes
    window field_changes as (
        partition by ticket_id, field_name
        order by utc(updated), value nulls first, user_id nulls first
    )
),
numbered as (
    select
        *,
        row_number() over (
            partition by ticket_id, field_name, updated order by place
        ) as place_in_instant
    from ordered
)
select
    _fivetran_synced as synced,
    json_merge_patch(to_json(ticket_field_history), json_object(
        'id', concat_ws('-', numbered.ticket_id, numbered.field_name,
            regexp_replace(numbered.updated, '[^0-9]', '', 'g'), place_in_instant),
        'event_type', if(place = 1, 'Create', 'Change'),
        'updater_id', numbered.user_id, 'previous_value', previous_value,
        'created_at', utc(numbered.updated)
    )) as record
from ticket_field_history
join numbered
    on numbered.ticket_id = ticket_field_history.ticket_id
    and numbered.field_name = ticket_field_history.field_name
    and numbered.updated = ticket_field_history.updated
    and numbered.user_id is not distinct from ticket_field_history.user_id
    and numbered.value is not distinct from ticket_field_history.value
"""

_GROUPS = """
select
    _fivetran_synced as synced,
    json_merge_patch(to_json("group"), json_object(
        'created_at', utc(created_at), 'updated_at', utc(updated_at)
    )) as record
from "group"
"""

_RATINGS = """
select
    _fivetran_synced as synced,
    json_merge_patch(to_json(satisfaction_rating), json_object(
        'created_at', utc(created_at), 'updated_at', utc(updated_at)
    )) as record
from satisfaction_rating
"""

_MARKS = ("_fivetran_synced", "_fivetran_deleted", "created_at", "updated_at")

ZENDESK = {
    "users": Mapped({"user": (*_MARKS, "active")}, _USERS),
    "tickets": Mapped(
        {
            "ticket": (*_MARKS, "id", "status", "via_channel"),
            "ticket_tag": ("ticket_id", "tag", "_fivetran_synced"),
        },
        _TICKETS,
        optional=("ticket_tag",),
    ),
    "comments": Mapped(
        {"ticket_comment": ("_fivetran_synced", "user_id", "created", "public")}, _COMMENTS
    ),
    "ticket_events": Mapped(
        {
            "ticket_field_history": (
                *("_fivetran_synced", "ticket_id", "field_name", "updated", "user_id", "value"),
            )
        },
        _EVENTS,
    ),
    "groups": Mapped({"group": _MARKS}, _GROUPS),
    "satisfaction_ratings": Mapped({"satisfaction_rating": _MARKS}, _RATINGS),
}
