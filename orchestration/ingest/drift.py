"""Drift: how the delivered columns differ from the contract, one row per change.

A change is recorded at the delivery that shows it first: `added` for a key the contract does not
know, `removed` for one that is in no row any more, `returned` when it is back. Where the contract's
policy is `stop`, a delivery whose columns differ from the contract is held.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator

import duckdb

from orchestration.ingest.contracts import Contract
from orchestration.ingest.landing import Delivery
from orchestration.ingest.reading import json_parents, known_keys

JUDGED_FROM_ROWS = 20
OPTIONAL_JUDGED_FROM_ROWS = 200


def record_drift(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    files: list[tuple[Delivery, tuple[str, ...]]],
) -> None:
    """Compare the keys of each delivery with those known so far and record the changes.

    Args:
        connection: The warehouse; reads the temporary tables `batch` and `batch_files`.
        contract: The table's contract.
        files: Deliveries in their order, each with its CSV header (empty for NDJSON).
    """
    state = _state(connection, contract)
    changes: list[list[object]] = []
    for delivery, header, present, rows in _seen_keys(connection, contract, files):
        for key, change in _judged(contract, present, rows, state, has_header=bool(header)):
            state[key] = change
            place = [contract.source, contract.entity, delivery.delivery_id]
            changes.append([*place, key, change, delivery.received_at])
    if changes:
        connection.executemany("insert into ingest.drift values (?, ?, ?, ?, ?, ?)", changes)


def drifted_deliveries(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    files: list[tuple[Delivery, tuple[str, ...]]],
) -> dict[str, str]:
    """The deliveries whose columns differ from the contract, whatever came before them.

    Args:
        connection: The warehouse; reads the temporary tables `batch` and `batch_files`.
        contract: The table's contract.
        files: Deliveries, each with its CSV header (empty for NDJSON).

    Returns:
        What differs, by delivery id.
    """
    found: dict[str, str] = {}
    for delivery, header, present, rows in _seen_keys(connection, contract, files):
        changes = _judged(contract, present, rows, {}, has_header=bool(header))
        if changes:
            found[delivery.delivery_id] = ", ".join(f"{key} {change}" for key, change in changes)
    return found


def _seen_keys(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    files: list[tuple[Delivery, tuple[str, ...]]],
) -> Iterator[tuple[Delivery, tuple[str, ...], set[str], int]]:
    """Each delivery with its header, the keys that its rows show and their number."""
    counts = dict(connection.execute("select delivery_id, row_count from batch_files").fetchall())
    shapes = _json_keys(connection, contract) if contract.is_json else {}
    for delivery, header in files:
        present = set(header) or shapes.get(delivery.delivery_id, set())
        if present:
            yield delivery, header, present, counts[delivery.delivery_id]


def _judged(
    contract: Contract, present: set[str], rows: int, state: dict[str, str], *, has_header: bool
) -> list[tuple[str, str]]:
    """The changes against contract and state; few rows do not tell that a key is gone."""
    known = known_keys(contract)
    found = []
    for key, change in _changes(known.keys() | state.keys() | present, present, known, state):
        is_required = any(column.is_required for column in known.get(key, []))
        bound = JUDGED_FROM_ROWS if is_required else OPTIONAL_JUDGED_FROM_ROWS
        if change != "removed" or rows >= bound or has_header:
            found.append((key, change))
    return found


def _changes(
    keys: Iterable[str], present: set[str], known: Container[str], state: dict[str, str]
) -> list[tuple[str, str]]:
    found = []
    for key in sorted(keys):
        last = state.get(key)
        if key in present:
            if last == "removed":
                found.append((key, "returned"))
            elif last is None and key not in known:
                found.append((key, "added"))
        elif last != "removed" and (key in known or last is not None):
            found.append((key, "removed"))
    return found


def _state(connection: duckdb.DuckDBPyConnection, contract: Contract) -> dict[str, str]:
    return dict(
        connection.execute(
            """
            select column_name, max_by(change, (received_at, delivery_id)) from ingest.drift
            where source = ? and entity = ? group by column_name
            """,
            [contract.source, contract.entity],
        ).fetchall()
    )


def _json_keys(connection: duckdb.DuckDBPyConnection, contract: Contract) -> dict[str, set[str]]:
    parents = json_parents(contract)
    found: dict[str, set[str]] = {}
    shapes = connection.execute(
        """
        select distinct delivery_id, shape
        from batch inner join batch_files on batch.file_path = batch_files.file_path
        where shape is not null
        """
    ).fetchall()
    for delivery_id, shape in shapes:
        keys = found.setdefault(delivery_id, set())
        for parent, names in zip(parents, json.loads(shape), strict=True):
            keys.update(f"{parent}.{name}" if parent else name for name in names or [])
    return found
