"""Who is meant by an identifier: every record, handle and id of one person.

Belongs here: the alias fan-out, read from the warehouse and the id ledger. An address or number
that another customer's records bear too is shared, and no handle of this person alone.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import Any

import duckdb

from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.ingest.contracts import load_contracts
from orchestration.keys import ledger_key, pseudonym, pseudonym_key
from orchestration.privacy.handles import (
    CUSTOMER,
    EMAIL,
    PHONE,
    USER,
    Handle,
    Privacy,
)
from orchestration.privacy.published_events import TOLD_APART_BY, has_messages, spoken
from orchestration.settings import Settings
from orchestration.unify.normalising import NormaliserSettings, email_form, phone_form
from orchestration.warehouse import connect

_ID_LENGTH = 32


@dataclass(frozen=True)
class Person:
    """One person, as far as anything here knows.

    Args:
        customer_ids: The customer's id now, and every id that the records ever bore.
        record_keys: Records, as `source/entity/record_id`.
        handles: What names the person and nobody else.
        shared: Identifiers that others bear too, by type; their rows stay.
    """

    customer_ids: frozenset[str]
    record_keys: frozenset[str]
    handles: frozenset[Handle]
    shared: dict[str, int]


def resolve(
    settings: Settings, privacy: Privacy, identifier: str, normalisers: NormaliserSettings
) -> Person:
    """The person that an identifier means.

    Args:
        settings: The home folder.
        privacy: Which columns name a person.
        identifier: An e-mail address, a phone number, a user id, a customer id (an old one too),
            or a record as `source/entity/record_id`.
        normalisers: How identifiers are compared.

    Raises:
        JourneylineError: There is no warehouse to look in, nobody of that name, or several
            (exit 2).
    """
    if not settings.warehouse.exists():
        raise JourneylineError(
            "There is no warehouse to find the person in.",
            str(settings.warehouse),
            "Type `journeyline run`, then erase.",
            EXIT_USAGE,
        )
    with closing(connect(settings.warehouse, read_only=True)) as connection:
        handle = _handle(identifier.strip(), normalisers)
        records = _records(connection, handle, identifier.strip())
        customers = _column(
            connection,
            "select distinct customer_id from identity.customer_records "
            "where list_contains(?, record_key)",
            [records],
        )
        if handle[0] == CUSTOMER:
            customers = customers or ([handle[1]] if records else [])
        if len(customers) > 1:
            raise JourneylineError(
                f"{len(customers)} customers bear this identifier: {', '.join(sorted(customers))}.",
                "the identifier given",
                "Name the one that is meant by its customer id.",
                EXIT_USAGE,
            )
        records += _column(
            connection,
            "select record_key from identity.customer_records where list_contains(?, customer_id)",
            [customers],
        )
        if not records and handle[0] != EMAIL:
            raise JourneylineError(
                "Nobody here bears this identifier.",
                "the identifier given",
                "Give an e-mail address, a phone number with its country, a user id, a customer "
                "id or source/entity/record_id.",
                EXIT_USAGE,
            )
        return _person(connection, settings, privacy, set(records), set(customers), handle)


def _handle(identifier: str, normalisers: NormaliserSettings) -> Handle:
    if "@" in identifier:
        return EMAIL, email_form(identifier, normalisers)
    if identifier.startswith(("+", "00")):
        return PHONE, phone_form(identifier, normalisers) or identifier
    if len(identifier) == _ID_LENGTH and all(c in "0123456789abcdef" for c in identifier):
        return CUSTOMER, identifier
    return USER, identifier


def _records(connection: duckdb.DuckDBPyConnection, handle: Handle, identifier: str) -> list[str]:
    kind, value = handle
    if kind == CUSTOMER:
        return _column(
            connection,
            "select record_key from identity.customer_records where customer_id = ? or "
            "customer_id in (select customer_id from identity.aliases where old_customer_id = ?)",
            [value, value],
        )
    if identifier.count("/") >= 2:
        return _column(
            connection,
            "select record_key from identity.customer_records where record_key = ?",
            [identifier],
        )
    return _column(
        connection,
        "select distinct record_key from unify.int_record_identifiers "
        "semi join unify.int_records using (record_key) "
        "where identifier_type = ? and identifier_value = ?",
        [kind, value],
    )


def _person(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    privacy: Privacy,
    records: set[str],
    customers: set[str],
    given: Handle,
) -> Person:
    identifiers = connection.execute(
        """
        select identifier_type, identifier_value, bool_and(list_contains(?, record_key))
        from unify.int_record_identifiers
        -- what staff bear too is still this person's
        semi join unify.int_records using (record_key)
        group by all
        having bool_or(list_contains(?, record_key))
        """,
        [list(records), list(records)],
    ).fetchall()
    handles = {(str(kind), str(value)) for kind, value, is_own in identifiers if is_own}
    shared: dict[str, int] = {}
    for kind, _, is_own in identifiers:
        if not is_own:
            shared[str(kind)] = shared.get(str(kind), 0) + 1
    domains = {domain for columns in privacy.subjects.values() for domain in columns.values()}
    for key in records:
        source, entity, record_id = key.split("/", 2)
        domain = f"{source}/{entity}"
        handles.add((domain if domain in domains else USER, record_id))
    if not records:
        handles.add(given)
    ids = customers | _ids_ever(connection, settings, records)
    handles |= {(CUSTOMER, customer_id) for customer_id in ids}
    handles |= _device_messages(connection, settings, records)
    return Person(frozenset(ids), frozenset(records), frozenset(handles), shared)


def _ids_ever(
    connection: duckdb.DuckDBPyConnection, settings: Settings, records: set[str]
) -> set[str]:
    """Every customer id that these records and no others bear now, or bore at some time."""
    folder = settings.identity / "ledger"
    if not records or not any(folder.glob("*.parquet")):
        return set()
    key = ledger_key(settings)
    hashes = [pseudonym(key, record_key) for record_key in records]
    return set(
        _column(
            connection,
            "select distinct customer_id from read_parquet(?) "
            "where change = 'assigned' and list_contains(?, record_hash) and customer_id not in "
            "(select customer_id from identity.customer_records "
            "where not list_contains(?, record_key))",
            [str(folder / "*.parquet"), hashes, list(records)],
        )
    )


def _device_messages(
    connection: duckdb.DuckDBPyConnection, settings: Settings, records: set[str]
) -> set[Handle]:
    """Events without a user that fell to the person because the device was theirs just then."""
    owned = set(
        _column(
            connection,
            "select touchpoint_id from journey.int_event_owners "
            "where owned_by = 'device' and list_contains(?, owner_record_key)",
            [list(records)],
        )
    )
    if not owned:
        return set()
    key = pseudonym_key(settings)
    handles: set[Handle] = set()
    for contract in load_contracts(settings).values():
        if "app_events" not in contract.feeds or not has_messages(contract):
            continue
        columns = [spoken(contract, *item) for item in TOLD_APART_BY]
        rows = connection.execute(
            f"""
            select distinct message_id, {", ".join(columns)}
            from {contract.table}
            where {spoken(contract, "user_id", "null")} is null
                and {spoken(contract, "anonymous_id", "null")} in (
                    select anonymous_id from journey.int_events
                    where list_contains(?, touchpoint_id)
                )
            """,
            [list(owned)],
        ).fetchall()
        handles |= {
            (f"{contract.source}/messages", str(handle))
            for handle, message, kind, event, name in rows
            if pseudonym(key, f"{contract.label}/{message}|{kind}|{event or name or ''}") in owned
        }
    return handles


def _column(connection: duckdb.DuckDBPyConnection, sql: str, values: list[Any]) -> list[str]:
    return [str(value) for (value,) in connection.execute(sql, values).fetchall()]
