"""The judgement: every delivery of a batch against its contract and what was told before."""

from __future__ import annotations

import json

import duckdb

from orchestration.ingest.contracts import Contract
from orchestration.ingest.drift.changes import GONE, Change, SeenFile
from orchestration.ingest.drift.keys import key_changes, recased, sightings
from orchestration.ingest.drift.rows import mark_rows
from orchestration.ingest.drift.values import value_changes


def judge_drift(
    connection: duckdb.DuckDBPyConnection, contract: Contract, files: list[SeenFile]
) -> dict[str, str]:
    """Find how each delivery differs, mark its affected rows, record what is new.

    Reads the temporary tables `batch`, `batch_files` and `batch_shapes`; writes `batch_drifted`
    (rows of the batch that are quarantined for drift, with rule and column) and `ingest.drift`.

    Returns:
        What differs from the contract, by delivery id, where the policy is `stop`.
    """
    seen = list(sightings(connection, contract, files))
    order = _last_header(connection, contract)
    values = value_changes(connection, contract)
    state, told = _state(connection, contract)
    records: list[list[object]] = []
    for sight in seen:
        against_contract = key_changes(connection, contract, sight, {})
        others = values.get(sight.file.delivery.delivery_id, [])
        others += [Change(key, "flattened") for key in sorted(sight.flattened)]
        others += [
            recased(contract, old, new)
            for old, new in sorted(sight.recased.items())
            if old in sight.keys
        ]
        others += _order_changes(order, sight.file.header)
        order = sight.file.header or order
        sight.changes = against_contract + others
        evolving = key_changes(connection, contract, sight, state, against_contract)
        for change in evolving:
            state[change.key] = change.change
        fresh = evolving + [change for change in others if (change.key, str(change)) not in told]
        told |= {(change.key, str(change)) for change in others if change.change != "reordered"}
        delivery = sight.file.delivery
        place = [contract.source, contract.entity, delivery.delivery_id]
        records += [[*place, c.key, c.change, delivery.received_at, c.detail] for c in fresh]
    if records:
        connection.executemany("insert into ingest.drift values (?, ?, ?, ?, ?, ?, ?)", records)
    _keep_header(connection, contract, order)
    mark_rows(connection, contract, seen)
    if contract.drift_policy != "stop":
        return {}
    return {
        sight.file.delivery.delivery_id: ", ".join(str(change) for change in sight.changes)
        for sight in seen
        if sight.changes
    }


def _order_changes(before: tuple[str, ...], header: tuple[str, ...]) -> list[Change]:
    if not before or not header:
        return []
    common = [name for name in before if name in header]
    moved = [name for name in header if name in before]
    return [Change(",".join(moved), "reordered")] if moved != common else []


def _last_header(connection: duckdb.DuckDBPyConnection, contract: Contract) -> tuple[str, ...]:
    row = connection.execute(
        "select header from ingest.headers where source = ? and entity = ?",
        [contract.source, contract.entity],
    ).fetchone()
    return tuple(json.loads(row[0])) if row else ()


def _keep_header(
    connection: duckdb.DuckDBPyConnection, contract: Contract, header: tuple[str, ...]
) -> None:
    if header:
        place = [contract.source, contract.entity]
        connection.execute("delete from ingest.headers where source = ? and entity = ?", place)
        connection.execute(
            "insert into ingest.headers values (?, ?, ?)", [*place, json.dumps(header)]
        )


def _state(
    connection: duckdb.DuckDBPyConnection, contract: Contract
) -> tuple[dict[str, str], set[tuple[str, str]]]:
    """The last change of each key that came or went, and all that was told of values."""
    rows = connection.execute(
        """
        select column_name, change, detail from ingest.drift
        where source = ? and entity = ? order by received_at, delivery_id
        """,
        [contract.source, contract.entity],
    ).fetchall()
    keys = ("added", "returned", *GONE)
    return (
        {key: change for key, change, _ in rows if change in keys},
        {
            (key, str(Change(key, change, detail)))
            for key, change, detail in rows
            if change not in (*keys, "reordered")
        },
    )
