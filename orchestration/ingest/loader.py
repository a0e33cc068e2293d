"""Loader: takes what lies in landing into the raw tables, in one transaction per load.

Order of a load: guards on the bytes, one batch per table, rules, held deliveries, duplicates, then
raw rows, quarantine, drift and the row ledger together. A killed load leaves nothing behind.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

import duckdb

from orchestration.errors import JourneylineError
from orchestration.ingest.acts import Act, TableActs, acts_by_table, read_acts
from orchestration.ingest.batch import EntityLoad, EntityWork, forget_batches, load_entity
from orchestration.ingest.contracts import Contract, load_contracts
from orchestration.ingest.landing import Delivery, list_deliveries
from orchestration.ingest.sources import load_sources
from orchestration.ingest.tables import ensure_tables
from orchestration.settings import Settings
from orchestration.warehouse import connect


@dataclass(frozen=True)
class LoadReport:
    """What one load did.

    Args:
        load_number: Its number; None when nothing new was found.
        deliveries: Deliveries taken, refused and held ones among them.
        accepted: Rows added to raw tables.
        quarantined: Rows put into quarantine.
        duplicates: Rows that were there already.
        refused: `source/entity/delivery_id: reason` of deliveries that were refused.
        held_sources: Sources with a delivery past its bound of quarantined rows.
        as_of: The instant the pipeline now stands at; None before the first delivery.
        ignored: `source/entity` in landing that no enabled source has a contract for.
    """

    load_number: int | None
    deliveries: int
    accepted: int
    quarantined: int
    duplicates: int
    refused: list[str] = field(default_factory=list)
    held_sources: list[str] = field(default_factory=list)
    as_of: datetime | None = None
    ignored: list[str] = field(default_factory=list)


def load_deliveries(
    settings: Settings,
    until: date | None,
    progress: Callable[[str], None] | None = None,
    *,
    between_nights: bool = False,
) -> LoadReport:
    """Load every delivery that is not in the row ledger yet, and carry out acts on rows.

    Args:
        settings: The home folder and the project.
        until: Last night to take, inclusive; None takes all.
        progress: Told one line per table.
        between_nights: The last night is not over: as-of is the newest `received_at` taken.

    Raises:
        JourneylineError: A contract or `sources.yml` is wrong, or the row ledger does not balance.
    """
    contracts = load_contracts(settings)
    sources = load_sources(settings)
    taken = {
        key: c for key, c in contracts.items() if key[0] in sources and sources[key[0]].enabled
    }
    settings.home.mkdir(parents=True, exist_ok=True)
    with closing(connect(settings.warehouse)) as connection:
        ensure_tables(connection, contracts.values())
        landed = [d for d in list_deliveries(settings) if _is_within(d, until)]
        recorded = set(
            connection.execute(
                "select source, entity, delivery_id from ingest.deliveries"
            ).fetchall()
        )
        fresh = [d for d in landed if (d.source, d.entity, d.delivery_id) not in recorded]
        ignored = sorted(
            {f"{d.source}/{d.entity}" for d in fresh} - {c.label for c in taken.values()}
        )
        acts = [act for act in read_acts(settings) if until is None or act.at.date() <= until]
        todo = _work(connection, taken, landed, recorded, acts)
        row = connection.execute("select max(as_of) from pipeline.clock").fetchone()
        as_of = _as_of(row[0] if row else None, landed, acts, until, between_nights)
        try:
            return _load(connection, settings, taken, todo, as_of, ignored, progress)
        except (duckdb.Error, JourneylineError):
            # It may be a Parquet file that one reader takes and the loader's does not, or not
            # alike: nothing was kept, and the next attempt refuses that file alone.
            if not any(taken[key].format == "parquet" for key in todo):
                raise
            todo = {key: replace(table, is_thorough=True) for key, table in todo.items()}
            return _load(connection, settings, taken, todo, as_of, ignored, progress)


def coming_as_of(
    settings: Settings, until: date | None, before: datetime | None
) -> datetime | None:
    """Where a load up to a night will stand; None before the first delivery.

    Args:
        settings: The home folder.
        until: Last night to take, inclusive; None takes all.
        before: Where the pipeline stands, UTC without zone.
    """
    landed = [d for d in list_deliveries(settings) if _is_within(d, until)]
    acts = [act for act in read_acts(settings) if until is None or act.at.date() <= until]
    return _as_of(before, landed, acts, until, between_nights=False)


def _work(
    connection: duckdb.DuckDBPyConnection,
    contracts: dict[tuple[str, str], Contract],
    landed: list[Delivery],
    recorded: set[tuple[str, str, str]],
    acts: list[Act],
) -> dict[tuple[str, str], EntityWork]:
    """What there is to do, by table: new deliveries, and rows of known ones that are replayed."""
    numbers = connection.execute("select act_number from ingest.acts").fetchall()
    acted = acts_by_table(acts, {number for (number,) in numbers})
    todo: dict[tuple[str, str], EntityWork] = {}
    for key in contracts:
        on_table = acted.get(key, TableActs())
        replayed = on_table.replayed_deliveries()
        mine = [d for d in landed if (d.source, d.entity) == key]
        known = {d.delivery_id for d in mine if (*key, d.delivery_id) in recorded}
        again = frozenset(known & replayed)
        wanted = [d for d in mine if d.delivery_id not in known or d.delivery_id in again]
        if wanted or on_table.fresh:
            todo[key] = EntityWork(wanted, on_table, again)
    return todo


def _load(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    contracts: dict[tuple[str, str], Contract],
    todo: dict[tuple[str, str], EntityWork],
    as_of: datetime | None,
    ignored: list[str],
    progress: Callable[[str], None] | None,
) -> LoadReport:
    work = settings.home / ".loading"
    shutil.rmtree(work, ignore_errors=True)
    taken = sum(len(table.deliveries) for table in todo.values())
    connection.execute("begin")
    try:
        number = _next_number(connection) if todo else None
        loads: list[EntityLoad] = []
        if number is not None:
            work.mkdir()
            for key, table in todo.items():
                loads.append(load_entity(connection, contracts[key], table, number, work))
                if progress is not None:
                    progress(f"loaded {key[0]}/{key[1]}: {loads[-1].accepted:,} rows")
            connection.execute("insert into ingest.loads values (?, ?, ?)", [number, as_of, taken])
        _set_clock(connection, as_of)
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise
    finally:
        forget_batches(connection)
        shutil.rmtree(work, ignore_errors=True)
    return LoadReport(
        load_number=number,
        deliveries=taken,
        accepted=sum(load.accepted for load in loads),
        quarantined=sum(load.quarantined for load in loads),
        duplicates=sum(load.duplicates for load in loads),
        refused=[line for load in loads for line in load.refused],
        held_sources=sorted({load.source for load in loads if load.held}),
        as_of=as_of,
        ignored=ignored,
    )


def _is_within(delivery: Delivery, until: date | None) -> bool:
    return until is None or delivery.received_at.date() <= until


def _next_number(connection: duckdb.DuckDBPyConnection) -> int:
    row = connection.execute(
        "select coalesce(max(load_number), 0) + 1 from ingest.loads"
    ).fetchone()
    assert row is not None
    return int(row[0])


def _as_of(
    before: datetime | None,
    landed: list[Delivery],
    acts: list[Act],
    until: date | None,
    between_nights: bool,
) -> datetime | None:
    """Midnight after the night, or its newest arrival; where the clock stood if that is later.

    A night that has acts and no delivery is not over either: its delivery may still come.
    """
    arrivals = [d.received_at for d in landed] + [act.at for act in acts]
    night = until or max((arrival.date() for arrival in arrivals), default=None)
    if night is None:
        return before
    after = datetime.combine(night + timedelta(days=1), datetime.min.time())
    is_acts_alone = any(act.at.date() == night for act in acts) and not any(
        d.received_at.date() == night for d in landed
    )
    if (between_nights or is_acts_alone) and arrivals:
        after = min(after, max(arrivals))
    return after if before is None else max(after, before)


def _set_clock(connection: duckdb.DuckDBPyConnection, as_of: datetime | None) -> None:
    if as_of is None:
        return
    connection.execute("delete from pipeline.clock")
    night = (as_of - timedelta(microseconds=1)).date()
    connection.execute("insert into pipeline.clock values (?, ?)", [as_of, night])
