"""Which published touchpoints and service steps delivered rows became.

Belongs here: the ids of what the event models make of a row, so that a release can lose them too
when the row goes. An e-mail's event names whom it was sent to and goes with its person; a stage of
a deal has no row of its own. Ids are those of today's pseudonym key: a release of before a rotation
keeps what it has under the old ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

import duckdb

from orchestration import warehouse
from orchestration.ingest.contracts import Contract
from orchestration.ingest.tables import literal
from orchestration.keys import pseudonym, pseudonym_key
from orchestration.privacy.handles import Handle
from orchestration.privacy.screening import Screened
from orchestration.settings import Settings

EVENT = "event"
# Columns of published tables that bear such an id.
EVENT_COLUMNS = ("touchpoint_id", "step_id")
# What tells an app event apart, and what stands for it where a source lacks it.
TOLD_APART_BY = (
    ("message_id", "_row_hash"),
    ("type", "'action'"),
    ("event", "null"),
    ("name", "null"),
)


def event_handles(
    settings: Settings,
    contracts: Mapping[tuple[str, str], Contract],
    screened: Sequence[Screened],
) -> set[Handle]:
    """The handles of the published events that rows became; none without a warehouse.

    Args:
        settings: The home folder; the warehouse holds the rows as they are numbered now.
        contracts: Contracts by source and entity.
        screened: Deliveries with the numbers of the rows.
    """
    if not settings.warehouse.exists():
        return set()
    key = pseudonym_key(settings)
    found: set[Handle] = set()
    with closing(warehouse.connect(settings.warehouse, read_only=True)) as connection:
        connection.execute("create temp table going (delivery_id text, row_number bigint)")
        for table in sorted({(s.delivery.source, s.delivery.entity) for s in screened}):
            contract = contracts.get(table)
            said = None if contract is None else event_text(contract)
            if contract is None or said is None:
                continue
            rows = [
                [item.delivery.delivery_id, list(item.erased or ())]
                for item in screened
                if (item.delivery.source, item.delivery.entity) == table
            ]
            texts = _texts(connection, contract, said, rows)
            found |= {(EVENT, pseudonym(key, text)) for text in texts}
    return found


def event_text(contract: Contract) -> str | None:
    """SQL over a raw table of what a row's event is told apart by; None where it makes none."""
    if "app_events" in contract.feeds:
        message, kind, event, name = (spoken(contract, *item) for item in TOLD_APART_BY)
        told = f"{message} || '|' || {kind} || '|' || coalesce({event}, {name}, '')"
    elif "email_activities" not in contract.feeds and len(contract.key_columns) == 1:
        told = f"{contract.key_columns[0]}::text"
    else:
        return None
    return f"{literal(contract.label + '/')} || {told}"


def spoken(contract: Contract, name: str, missing: str) -> str:
    """A column of the vocabulary over the raw table, as the models that it feeds read it."""
    return contract.speaks.get(name, name if _has(contract, name) else missing)


def has_messages(contract: Contract) -> bool:
    """Whether the rows of a table of app events have ids of their own."""
    return _has(contract, "message_id")


def _has(contract: Contract, name: str) -> bool:
    return any(column.name == name for column in contract.columns)


def _texts(
    connection: duckdb.DuckDBPyConnection, contract: Contract, said: str, rows: list[list[Any]]
) -> set[str]:
    connection.execute("delete from going")
    for delivery_id, numbers in rows:
        connection.execute(
            "insert into going select ?, unnest(?::bigint[])", [delivery_id, numbers]
        )
    try:
        found = connection.execute(
            f"select distinct {said} from {contract.table} as raw inner join going "
            "on raw._delivery_id = going.delivery_id and raw._row_number = going.row_number"
        ).fetchall()
    except duckdb.CatalogException:
        return set()
    return {str(text) for (text,) in found if text is not None}
