"""Batch: all new deliveries of one table, from files to raw rows, quarantine and row ledger.

Wide rows are written to the batch once and to the raw table once; duplicates are found on hashes,
and only keys that occur more than once are ordered.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import md5
from pathlib import Path

import duckdb

from orchestration.errors import JourneylineError
from orchestration.ingest import reading
from orchestration.ingest.acts import DISCARD, RETENTION, TableActs
from orchestration.ingest.appending import (
    append_quarantine,
    append_rows,
    count_rows,
    describe_acts,
    describe_files,
    discard_rows,
    find_duplicates,
    hold_deliveries,
)
from orchestration.ingest.contracts import Contract
from orchestration.ingest.drift import SeenFile, judge_drift
from orchestration.ingest.json_fields import json_depth
from orchestration.ingest.landing import Delivery
from orchestration.ingest.preparing import ReadyFile, prepare_delivery
from orchestration.ingest.tables import quoted
from orchestration.warehouse import beside

_LOADING = "loading "


@dataclass
class EntityLoad:
    """What a load did for one table; counts are rows."""

    source: str
    accepted: int = 0
    quarantined: int = 0
    duplicates: int = 0
    refused: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class EntityWork:
    """What a load has to do for one table.

    Args:
        deliveries: New deliveries, and those loaded before whose rows are replayed, in the order
            of arrival and id.
        acts: Acts on rows of the table.
        again: Ids of the deliveries that were loaded before.
        is_thorough: Whether each file is proved to be one that the loader's reader takes.
    """

    deliveries: list[Delivery]
    acts: TableActs = field(default_factory=TableActs)
    again: frozenset[str] = frozenset()
    is_thorough: bool = False


def load_entity(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    todo: EntityWork,
    load_number: int,
    work: Path,
) -> EntityLoad:
    """Load deliveries of one table, within the caller's transaction.

    Args:
        connection: The warehouse, with a transaction begun.
        contract: The table's contract.
        todo: Deliveries and acts of the table.
        load_number: Number of this load.
        work: An empty folder for rewritten files.

    Raises:
        JourneylineError: The row ledger of a delivery does not balance.
    """
    result = EntityLoad(contract.source)
    deliveries = todo.deliveries
    numbered = list(enumerate(deliveries))
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        outcomes = list(
            pool.map(
                lambda item: prepare_delivery(
                    item[1], contract, work, item[0], is_thorough=todo.is_thorough
                ),
                numbered,
            )
        )
    rows: list[list[object]] = []
    ready = [outcome for outcome in outcomes if isinstance(outcome, ReadyFile)]
    for delivery, outcome in zip(deliveries, outcomes, strict=True):
        if isinstance(outcome, str):
            if delivery.delivery_id in todo.again:
                raise _unreadable(delivery, outcome)
            result.refused.append(f"{delivery.label}: {outcome}")
            rows.append(_ledger_row(delivery, "refused", outcome, (0, 0, 0, 0), load_number))
    if ready:
        rows += _load_ready(connection, contract, ready, todo, load_number, result)
    _record(connection, rows)
    _record_acts(connection, todo.acts, load_number)
    for file in ready:
        if file.path.parent == work:
            file.path.unlink()
    return result


def _load_ready(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    ready: list[ReadyFile],
    todo: EntityWork,
    load_number: int,
    result: EntityLoad,
) -> list[list[object]]:
    read_batch(connection, contract, ready)
    described = [(f.path, f.delivery, f.delivery.delivery_id in todo.again) for f in ready]
    describe_files(connection, contract, described)
    describe_acts(connection, todo.acts)
    new = [file for file in ready if file.delivery.delivery_id not in todo.again]
    seen = [SeenFile(file.delivery, file.path, file.header) for file in new]
    drifted = judge_drift(connection, contract, seen)
    hold_deliveries(connection, drifted, "drift")
    find_duplicates(connection, contract)
    append_rows(connection, contract, load_number)
    append_quarantine(connection, contract)
    counts = count_rows(connection, contract, load_number)
    for table in ("files", "acts", "drifted", "duplicates", "shapes"):
        connection.execute(f"drop table temp.batch_{table}")
    connection.execute("drop view temp.batch")
    before = _forget(connection, contract, todo.again)
    rows = []
    for file in ready:
        held, accepted, quarantined, duplicates = counts[file.delivery.delivery_id]
        if accepted + quarantined + duplicates != file.record_count:
            raise JourneylineError(
                f"The row ledger does not balance: {file.record_count} rows landed, {accepted} "
                f"were accepted, {quarantined} quarantined, {duplicates} duplicates.",
                where=file.delivery.label,
                next_step="This is a defect; nothing of this load was kept.",
            )
        known = before.get(file.delivery.delivery_id)
        reason = _held_reason(drifted.get(file.delivery.delivery_id)) if held else None
        if held and known is not None:
            reason = known.reason
        status = "held" if held else "loaded"
        landed = (file.record_count, accepted, quarantined, duplicates)
        rows.append(_ledger_row(file.delivery, status, reason, landed, load_number))
        result.accepted += accepted - (known.accepted if known else 0)
        result.quarantined += quarantined - (known.quarantined if known else 0)
        result.duplicates += duplicates - (known.duplicates if known else 0)
        if held:
            result.held.append(file.delivery.label)
    return rows


@dataclass(frozen=True)
class _Before:
    """What the row ledger said of a delivery before some of its rows were replayed."""

    reason: str | None
    accepted: int
    quarantined: int
    duplicates: int


def _forget(
    connection: duckdb.DuckDBPyConnection, contract: Contract, delivery_ids: frozenset[str]
) -> dict[str, _Before]:
    """Take deliveries out of the row ledger, which is about to have them anew."""
    found: dict[str, _Before] = {}
    for delivery_id in sorted(delivery_ids):
        place = [contract.source, contract.entity, delivery_id]
        for row in connection.execute(
            "select reason, accepted_count, quarantined_count, duplicate_count"
            " from ingest.deliveries where source = ? and entity = ? and delivery_id = ?",
            place,
        ).fetchall():
            found[delivery_id] = _Before(*row)
        connection.execute(
            "delete from ingest.deliveries where source = ? and entity = ? and delivery_id = ?",
            place,
        )
    return found


def _unreadable(delivery: Delivery, reason: str) -> JourneylineError:
    return JourneylineError(
        f"Rows of a delivery cannot be replayed: {reason}.",
        where=delivery.label,
        next_step="The file was changed after it was loaded; restore it.",
    )


def _held_reason(drift: str | None) -> str:
    if drift is None:
        return "more rows broke the contract than its bound allows"
    return f"its columns differ from the contract, whose drift policy is stop: {drift}"


def read_batch(
    connection: duckdb.DuckDBPyConnection, contract: Contract, files: list[ReadyFile]
) -> None:
    """`batch`: the records of files, typed, in the order of the files (see `reading`).

    It stands in a database of its own in memory, which spills to disk as any table does, until
    `forget_batches`: a transaction that has read it cannot let it go.

    Args:
        connection: The warehouse.
        contract: The table's contract.
        files: The files; they are of one contract, and numbered in their order.
    """
    numbered = [
        reading.InputFile(file.path, number, file.header)
        for number, file in enumerate(files)
        if file.record_count
    ]
    # An empty file is read where there is no other, so that the batch has its columns.
    numbered = numbered or [reading.InputFile(files[0].path, 0, files[0].header)]
    too_deep: list[str] = []
    if contract.format in ("ndjson", "json"):
        deep = [file for file in numbered if files[file.number].may_be_deep]
        suspects = connection.execute(reading.suspects_sql(deep)).fetchall() if deep else []
        too_deep = [
            md5(line.encode()).hexdigest()
            for (line,) in suspects
            if json_depth(line) > reading.MAX_JSON_DEPTH
        ]
    usual: list[str] = []
    if contract.is_json:
        found = connection.execute(reading.usual_shapes_sql(contract, numbered[0])).fetchall()
        usual = [shape for (shape,) in found]
    query = reading.batch_sql(contract, numbered, too_deep, usual)
    database = quoted(f"{_LOADING}{contract.source}__{contract.entity}")
    connection.execute(f"attach ':memory:' as {database}")
    # Within a transaction, a table that it wrote itself is read by one core only: another
    # connection writes it.
    with closing(beside(connection)) as writer:
        writer.execute(f"create table {database}.main.records as {query}")
    connection.execute(
        "create or replace temp view batch as"
        f" select rowid as row_id, * from {database}.main.records"
    )
    connection.execute("create or replace temp table batch_shapes (code text, shape text)")
    for code, shape in enumerate(usual, start=1):
        connection.execute("insert into batch_shapes values (?, ?)", [str(code), shape])


def forget_batches(connection: duckdb.DuckDBPyConnection) -> None:
    """Let the batches go that a transaction has read, after its end."""
    found = connection.execute(
        "select database_name from duckdb_databases() where starts_with(database_name, ?)",
        [_LOADING],
    ).fetchall()
    for (name,) in found:
        connection.execute(f"detach {quoted(name)}")


def _ledger_row(
    delivery: Delivery,
    status: str,
    reason: str | None,
    counts: tuple[int, int, int, int],
    load_number: int,
) -> list[object]:
    """A row of the row ledger.

    Counts are rows in the file, and of those accepted, quarantined and duplicate ones; what was
    erased from the file had landed too.
    """
    place = [delivery.source, delivery.entity, delivery.delivery_id, delivery.received_at]
    file = [delivery.file_name, delivery.sha256, delivery.byte_count]
    erased = 0 if status == "refused" else delivery.erased_count
    if status == "loaded" and delivery.aged_count:
        reason = RETENTION
    landed = [counts[0] + erased, *counts[1:]]
    return [*place, status, reason, *file, *landed, erased, load_number, delivery.aged_count]


def _record_acts(connection: duckdb.DuckDBPyConnection, acts: TableActs, load_number: int) -> None:
    for act in acts.fresh:
        place = [act.number, act.act, act.at, act.source, act.entity]
        connection.execute(
            "insert into ingest.acts values (?, ?, ?, ?, ?, ?, ?)",
            [*place, act.row_count, load_number],
        )
        if act.act == DISCARD:
            discard_rows(connection, act)


def _record(connection: duckdb.DuckDBPyConnection, rows: list[list[object]]) -> None:
    if not rows:
        return
    places = ", ".join(f"({', '.join('?' for _ in row)})" for row in rows)
    values = [value for row in rows for value in row]
    connection.execute(f"insert into ingest.deliveries values {places}", values)
