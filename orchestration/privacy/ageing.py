"""Ageing: rows leave the landing when they are older than their table keeps them.

Belongs here: finding those rows, set-based, as the loader types them, and replacing their
deliveries. A row is as old as the newest time that it bears (see `retention.age_columns`), and no
younger than its arrival says. Everything derived is deleted first and built again by the same run.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import duckdb

from orchestration import warehouse
from orchestration.act_lines import append_lines
from orchestration.followers.following import follow_all
from orchestration.ingest.acts import RETENTION, acts_path
from orchestration.ingest.appending import describe_files
from orchestration.ingest.batch import read_batch
from orchestration.ingest.contracts import Contract, load_contracts
from orchestration.ingest.landing import Delivery
from orchestration.ingest.preparing import ReadyFile, prepare_delivery
from orchestration.ingest.tables import literal
from orchestration.privacy import screening
from orchestration.privacy.handles import define_ledger_hash, hasher, load_privacy
from orchestration.privacy.published_events import event_handles
from orchestration.privacy.redacting import build_twins
from orchestration.privacy.retention import (
    RetentionAct,
    Table,
    acts_of,
    age_sql,
    horizon_of,
    is_due,
    kept_days,
    read_retention_acts,
)
from orchestration.publish import files, journal
from orchestration.publish.flipping import STAGING, recover
from orchestration.publish.replacing import serve_twins
from orchestration.settings import Settings

WORK = ".ageing"
# Bytes of deliveries that are read together.
_CHUNK = 256 << 20
# Characters of a hash that stays: 96 bits tell all rows of a company apart.
_KEPT = 24


@dataclass(frozen=True)
class Aged:
    """The rows of one delivery that go.

    Args:
        delivery: The delivery.
        rows: Their numbers; None where the file cannot be read and goes whole.
        keys: Keyed hashes of their keys.
    """

    delivery: Delivery
    rows: tuple[int, ...] | None
    keys: tuple[str, ...] = ()


def age_landing(
    settings: Settings,
    as_of: datetime | None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> int:
    """Take rows that are too old at a run's as-of out of the landing, as recorded acts.

    Args:
        settings: Home and project; the writer lock is held.
        as_of: As-of of the run, UTC without zone; None before the first delivery.
        now: The clock of acts on releases; no row's age is told by it.

    Returns:
        Rows that went. Where there are any, everything derived was deleted.
    """
    kept = kept_days(settings)
    if not kept or as_of is None:
        return 0
    policy = load_privacy(settings).retention
    contracts = load_contracts(settings)
    acts = read_retention_acts(settings)
    landed = screening.deliveries(settings)
    found: list[Aged] = []
    taken: list[RetentionAct] = []
    for table, days in kept.items():
        if not is_due(policy, days, acts_of(acts, table), as_of):
            continue
        horizon = horizon_of(days, as_of)
        mine = [d for d in landed if _is_of(d, table) and d.received_at < as_of]
        aged = list(_aged(settings, contracts[table], mine, horizon))
        found += aged
        taken.append(_act(RetentionAct(as_of, *table, days, horizon), aged))
    if not found:
        _append(settings, taken)
        return 0
    from orchestration.pipeline import steps

    # Releases first, while the warehouse tells what the rows became; then the derived, so that a
    # run that dies here finds nothing that holds what is about to go. The next one begins anew.
    _redact_releases(settings, contracts, found, now)
    steps.delete_derived(settings)
    _replace(settings, contracts, found, taken)
    return sum(act.erased_rows for act in taken)


def _redact_releases(
    settings: Settings,
    contracts: Mapping[Table, Contract],
    found: Sequence[Aged],
    now: Callable[[], datetime],
) -> None:
    """Kept releases give way to twins without the touchpoints and service steps of those rows."""
    if not settings.releases.is_dir():
        return
    hashed = hasher(settings)
    screened = [screening.Screened(item.delivery, item.rows) for item in found]
    hashes = {hashed(handle) for handle in event_handles(settings, contracts, screened)}
    recover(settings, now)
    try:
        twins = build_twins(settings, load_privacy(settings), hashes, now())
        serve_twins(settings, twins, journal.ERASE, {"reason": RETENTION}, now)
    finally:
        files.remove_tree(settings.releases / STAGING)
    if twins:
        # Not left to the publication of this run, which the gate may refuse.
        follow_all(settings)


def screen_aged(settings: Settings, known: set[tuple[str, str, str]]) -> int:
    """Take out of deliveries that no load has taken what went before, or is too old already.

    Args:
        settings: Home and project; the writer lock is held.
        known: Deliveries that a load has taken.

    Returns:
        Rows that went.
    """
    acts = read_retention_acts(settings)
    if not acts:
        return 0
    kept = kept_days(settings)
    contracts = load_contracts(settings)
    fresh = [
        d
        for d in screening.deliveries(settings)
        if (d.source, d.entity, d.delivery_id) not in known
    ]
    found: list[Aged] = []
    taken: list[RetentionAct] = []
    for table in sorted({(d.source, d.entity) for d in fresh} & {act.table for act in acts}):
        earlier = acts_of(acts, table)
        keys = {key for act in earlier for key in act.keys}
        # A horizon once taken holds for what comes late; without retention the keys alone do.
        horizon = max(act.horizon for act in earlier) if table in kept else None
        mine = [d for d in fresh if _is_of(d, table)]
        aged = list(_aged(settings, contracts[table], mine, horizon, keys))
        new = [replace(item, keys=tuple(k for k in item.keys if k not in keys)) for item in aged]
        found += aged
        if any(item.keys for item in new):
            taken.append(_act(max(earlier, key=lambda act: act.horizon), new))
    if found:
        _replace(settings, contracts, found, taken)
    return sum(len(item.rows or ()) for item in found)


def _replace(
    settings: Settings,
    contracts: Mapping[Table, Contract],
    found: Sequence[Aged],
    taken: Sequence[RetentionAct],
) -> None:
    screened = [screening.Screened(item.delivery, item.rows) for item in found]
    lines = b"".join(act.line() for act in taken)
    screening.replace_deliveries(settings, contracts, screened, is_aged=True, acts=lines)


def _act(pattern: RetentionAct, aged: Sequence[Aged]) -> RetentionAct:
    return replace(
        pattern,
        deliveries=len(aged),
        erased_rows=sum(len(item.rows or ()) for item in aged),
        keys=tuple(sorted({key for item in aged for key in item.keys})),
    )


def _append(settings: Settings, taken: Sequence[RetentionAct]) -> None:
    if taken:
        append_lines(acts_path(settings), b"".join(act.line() for act in taken))


def _is_of(delivery: Delivery, table: Table) -> bool:
    return (delivery.source, delivery.entity) == table


def _aged(
    settings: Settings,
    contract: Contract,
    deliveries: Sequence[Delivery],
    horizon: datetime | None,
    keys: set[str] | None = None,
) -> Iterator[Aged]:
    """The rows older than the horizon, and those whose key's hash is among `keys`."""
    work = settings.home / WORK
    for chunk in _chunks(deliveries):
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        try:
            yield from _aged_of_chunk(settings, contract, chunk, horizon, keys or set())
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _chunks(deliveries: Sequence[Delivery]) -> Iterator[list[Delivery]]:
    chunk: list[Delivery] = []
    size = 0
    for delivery in deliveries:
        stored = delivery.byte_count if delivery.stored_bytes is None else delivery.stored_bytes
        if stored == 0:
            continue
        chunk.append(delivery)
        size += stored
        if size >= _CHUNK:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _aged_of_chunk(
    settings: Settings,
    contract: Contract,
    chunk: Sequence[Delivery],
    horizon: datetime | None,
    keys: set[str],
) -> Iterator[Aged]:
    work = settings.home / WORK
    outcomes = [prepare_delivery(d, contract, work, number) for number, d in enumerate(chunk)]
    for delivery, outcome in zip(chunk, outcomes, strict=True):
        # What cannot be read is as old as its arrival.
        if isinstance(outcome, str) and horizon is not None and delivery.received_at < horizon:
            yield Aged(delivery, None)
    ready = [o for o in outcomes if isinstance(o, ReadyFile) and o.record_count]
    if not ready:
        return
    with closing(warehouse.connect(work / "batch.duckdb")) as connection:
        read_batch(connection, contract, ready)
        describe_files(connection, contract, [(f.path, f.delivery, False) for f in ready])
        define_ledger_hash(connection, settings)
        found = _old_rows(connection, contract, horizon, keys)
    for file in ready:
        rows = found.get(file.delivery.delivery_id)
        if rows:
            yield Aged(file.delivery, tuple(rows), tuple(rows.values()))


def _old_rows(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    horizon: datetime | None,
    keys: set[str],
) -> dict[str, dict[int, str]]:
    """Hash of the key by row number, per delivery of the batch."""
    connection.execute("create temp table taken (hash text)")
    connection.execute("insert into taken select unnest(?::text[])", [sorted(keys)])
    too_old = "false"
    if horizon is not None:
        too_old = f"age < timestamp '{horizon:%Y-%m-%d %H:%M:%S}'"
    places = {column.name: f"c{n}" for n, column in enumerate(contract.columns, 1)}
    rows = connection.execute(
        f"""
        with placed as (
            select delivery_id, batch.row_id - first_row + 1 as row_number,
                {age_sql(contract, places, "received_at")} as age,
                {literal(contract.label + ":")} || {_key_sql(contract)} as row_key
            from batch inner join batch_files on batch.file_number = batch_files.file_number
        ),
        hashed as (
            select delivery_id, row_number, age, left(ledger_hash(row_key), {_KEPT}) as hash
            from placed where {"true" if keys else too_old}
        )
        select delivery_id, row_number, hash from hashed
        where {too_old} or hash in (select hash from taken)
        order by delivery_id, row_number
        """
    ).fetchall()
    found: dict[str, dict[int, str]] = {}
    for delivery_id, row_number, key_hash in rows:
        found.setdefault(delivery_id, {})[row_number] = key_hash
    return found


def _key_sql(contract: Contract) -> str:
    """What tells a row apart: its key and version, all of it without a key, a broken one's text."""
    names = contract.key_columns or tuple(column.name for column in contract.columns)
    if contract.version_column is not None:
        names = (*names, contract.version_column)
    places = [f"c{n}::text" for n, c in enumerate(contract.columns, 1) if c.name in names]
    key = f"to_json([{', '.join(places)}])::text"
    return f"case when failure is not null then coalesce(payload, {key}) else {key} end"
