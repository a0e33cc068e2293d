"""How Airbyte's tables become the records that our contracts read.

Airbyte keeps the names and the nesting of the API that it reads: a record is a row, with the JSON
in its cells as JSON and without Airbyte's own columns. So one mapping serves all vendors; only the
names of the streams differ from ours.
"""

from __future__ import annotations

from orchestration.connectors.elt_zendesk import Mapped

_EXTRACTED = "_airbyte_extracted_at"


def _mapped(stream: str) -> Mapped:
    """A stream whose records are ours."""
    query = f"""
with rows as (
    select {_EXTRACTED} as synced, row_number() over () as place, to_json("{stream}") as record
    from "{stream}"
),
cells as (
    select rows.synced, rows.place, cell.key, cell.value, cell.id as cell_number,
        cell.value ->> '$' as plain
    from rows, json_each(rows.record) as cell
    where not starts_with(cell.key, '_airbyte_') and cell.type <> 'NULL'
)
select
    synced,
    to_json(map(
        list(key order by cell_number),
        list(
            case when plain[1] in ('{{', '[') and json_valid(plain) then plain::json
                else value end
            order by cell_number
        )
    )) as record
from cells
group by synced, place
"""
    return Mapped({stream: (_EXTRACTED,)}, query)


AIRBYTE = {
    "hubspot": {name: _mapped(name) for name in ("contacts", "deals")},
    "intercom": {
        name: _mapped(name) for name in ("contacts", "conversations", "conversation_parts")
    },
    "salesforce": {
        "contacts": _mapped("Contact"),
        "leads": _mapped("Lead"),
        "accounts": _mapped("Account"),
        "opportunities": _mapped("Opportunity"),
        "cases": _mapped("Case"),
    },
    "zendesk": {
        name: _mapped(name) for name in ("users", "tickets", "groups", "satisfaction_ratings")
    },
}
