"""How Fivetran's tables of Intercom become the records that our contracts read.

The tables hold every version of a record. One of which no version is active was deleted when its
last one ended.
"""

from __future__ import annotations

from orchestration.connectors.elt_zendesk import Mapped

_MARKS = ("_fivetran_synced", "_fivetran_active", "_fivetran_end", "id", "created_at", "updated_at")


def _versions(table: str) -> str:
    """Every version, and one more for a record that was deleted."""
    return f"""
versions as (
    select *, false as is_gone, updated_at as changed_at from {table}
    union all
    select *, true as is_gone, _fivetran_end as changed_at from {table}
    qualify not bool_or(is_true(coalesce(_fivetran_active, 'true'))) over (partition by id)
        and row_number() over (partition by id order by utc(updated_at) desc) = 1
)
"""


_CONTACTS = f"""
with {_versions("contact_history")}
select
    _fivetran_synced as synced,
    json_object(
        'id', id, 'external_id', external_id, 'email', email, 'name', name, 'phone', phone,
        'role', role, 'language_override', language_override, 'active', not is_gone,
        'created_at', utc(created_at), 'updated_at', utc(changed_at)
    ) as record
from versions
"""

_CONVERSATIONS = f"""
with {_versions("conversation_history")},
people as (
    select conversation_id, arg_min(contact_id, utc(conversation_updated_at)) as contact_id
    from conversation_contact_history group by conversation_id
)
select
    _fivetran_synced as synced,
    json_object(
        'id', id,
        'contacts', {{'contacts': [{{'id': coalesce(people.contact_id,
            if(source_author_type in ('user', 'lead', 'contact'), source_author_id, null))}}]}},
        'admin_assignee_id', if(assignee_type = 'admin', assignee_id, null),
        'source', {{'type': source_type, 'author': {{'type': source_author_type}}}},
        'conversation_rating', if(conversation_rating_value is null, null, {{
            'rating': conversation_rating_value, 'remark': conversation_rating_remark,
            'created_at': utc(conversation_rating_created_at)}}),
        'state', if(is_gone, 'deleted', state),
        'created_at', utc(created_at), 'updated_at', utc(changed_at)
    ) as record
from versions left join people on people.conversation_id = versions.id
"""

_PARTS = """
select
    _fivetran_synced as synced,
    json_object(
        'id', id, 'conversation_id', conversation_id, 'part_type', part_type, 'body', body,
        'author', {'id': author_id, 'type': author_type}, 'created_at', utc(created_at)
    ) as record
from conversation_part_history
"""

INTERCOM = {
    "contacts": Mapped(
        {
            "contact_history": (
                *(*_MARKS, "external_id", "email", "name", "phone", "role"),
                "language_override",
            )
        },
        _CONTACTS,
    ),
    "conversations": Mapped(
        {
            "conversation_history": (
                *(*_MARKS, "assignee_id", "assignee_type", "source_type", "source_author_id"),
                *("source_author_type", "state", "conversation_rating_value"),
                *("conversation_rating_remark", "conversation_rating_created_at"),
            ),
            "conversation_contact_history": (
                *("conversation_id", "contact_id", "conversation_updated_at"),
            ),
        },
        _CONVERSATIONS,
        optional=("conversation_contact_history",),
    ),
    "conversation_parts": Mapped(
        {
            "conversation_part_history": (
                *("_fivetran_synced", "id", "conversation_id", "part_type", "body"),
                *("author_id", "author_type", "created_at"),
            )
        },
        _PARTS,
    ),
}
