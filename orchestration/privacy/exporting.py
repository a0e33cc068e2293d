"""All that is held about one person: what was delivered, and what readers see of it.

Belongs here: gathering it. Whose it is belongs to `resolving`.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any

from orchestration import warehouse
from orchestration.ingest.contracts import load_contracts
from orchestration.ingest.landing import Delivery
from orchestration.ingest.unpacking import Refused
from orchestration.privacy import screening
from orchestration.privacy.corrected import corrected_rows
from orchestration.privacy.handles import handles_of, load_privacy
from orchestration.privacy.resolving import Person, resolve
from orchestration.publish import database
from orchestration.settings import Settings
from orchestration.unify.rules import IdentityRules, load_identity_rules


def export_person(settings: Settings, identifier: str) -> dict[str, Any]:
    """Everything that is held about the person whom an identifier means.

    Args:
        settings: Home and project.
        identifier: See `resolving.resolve`.

    Returns:
        `person` (ids, records, handles by domain), `delivered` (rows as received, by source/entity)
        and `published` (rows of the current release, by table).

    Raises:
        JourneylineError: Nobody or several are meant (exit 2).
    """
    privacy = load_privacy(settings)
    rules = load_identity_rules(settings)
    person = resolve(settings, privacy, identifier, rules.normalisers)
    handles: dict[str, list[str]] = {}
    for domain, value in sorted(person.handles):
        handles.setdefault(domain, []).append(value)
    return {
        "person": {
            "customer_ids": sorted(person.customer_ids),
            "records": sorted(person.record_keys),
            "handles": handles,
        },
        "delivered": _delivered(settings, person, rules),
        "published": _published(settings, person),
    }


def _delivered(
    settings: Settings, person: Person, rules: IdentityRules
) -> dict[str, list[dict[str, Any]]]:
    contracts = load_contracts(settings)
    subjects = load_privacy(settings).subjects
    found: dict[str, list[dict[str, Any]]] = {}
    for delivery in screening.deliveries(settings):
        table = f"{delivery.source}/{delivery.entity}"
        contract = contracts.get((delivery.source, delivery.entity))
        domains = subjects.get(table, {})
        try:
            for row in screening.rows_of(delivery, contract):
                if (
                    handles_of(row.fields, row.text, domains, rules.normalisers, rules.own_types)
                    & person.handles
                ):
                    found.setdefault(table, []).append(_entry(delivery, row))
        except (Refused, OSError):
            continue
    places = {
        (*table.split("/"), entry["delivery_id"])
        for table, entries in found.items()
        for entry in entries
    }
    for delivery, row in corrected_rows(settings, contracts, places):
        entries = found.setdefault(f"{delivery.source}/{delivery.entity}", [])
        if _entry(delivery, row) not in entries:
            entries.append(_entry(delivery, row))
    return found


def _entry(delivery: Delivery, row: screening.Row) -> dict[str, Any]:
    return {"delivery_id": delivery.delivery_id, "row_number": row.number, "row": row.text}


def _published(settings: Settings, person: Person) -> dict[str, list[dict[str, Any]]]:
    if not settings.current.is_symlink():
        return {}
    path = settings.current.resolve() / database.FILE_NAME
    found: dict[str, list[dict[str, Any]]] = {}
    with closing(warehouse.connect(path, read_only=True)) as connection:
        tables = connection.execute(
            "select table_name from duckdb_columns() where column_name = 'customer_id' "
            "and not internal order by 1"
        ).fetchall()
        for (table,) in tables:
            cursor = connection.execute(
                f"select * from {table} where list_contains(?, customer_id) order by all",
                [sorted(person.customer_ids)],
            )
            names = [column[0] for column in cursor.description]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            if rows:
                found[str(table)] = rows
    return found
