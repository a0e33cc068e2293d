"""What waits and what is done: deliveries not yet loaded, and the last completed build.

Belongs here: reading the landing and the warehouse's own record of the last run. Nothing here
changes data other than that record, which is derived like the warehouse that holds it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb

from orchestration import warehouse
from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.keys import pseudonym_key_mark
from orchestration.pipeline.dbt_runner import project_state
from orchestration.settings import Settings

# Phases before the marts, of which the load that they have seen is kept.
MATCHED = "matched"
RESOLVED = "resolved"
# People's decisions on identity; `unify.decisions` says what stands in it.
DECISIONS = "identity_decisions.yml"
SOURCES = "sources.yml"

_PHASE_MARKS = (
    "create table if not exists pipeline.phase_marks (phase varchar, load_number integer)"
)


@dataclass(frozen=True)
class LastBuild:
    """The last time that dbt built everything.

    Args:
        configuration: Hash of everything a build depends on but the data.
        sources: What loading depended on, as `sources_state` tells it.
        load_number: The newest load that it saw; 0 where nothing was ever accepted.
        is_released: Whether the publisher has accepted it.
    """

    configuration: str
    sources: str
    load_number: int
    is_released: bool


def configuration_hash(settings: Settings) -> str:
    """A hash of the configuration, the contracts, the dbt project and the pseudonym key.

    Of `sources.yml` only which sources are taken counts: where they are fetched from, who owns
    them and what is said of them is in no table. What dbt says of them stands in its project.
    People's decisions on identity are not in it: they touch the customers they name, and nobody
    else is built again for them.
    """
    left_out = (DECISIONS, SOURCES)
    files = sorted(path for path in settings.config.rglob("*") if path.name not in left_out)
    digest = hashlib.sha256(_hash_files([*files, settings.contracts]).encode())
    digest.update(json.dumps(_taken_sources(settings)).encode())
    digest.update(project_state(settings).encode())
    # With another key every pseudonym is another one: a mart may not hold some of both.
    digest.update(pseudonym_key_mark(settings).encode())
    return digest.hexdigest()


def decisions_hash(settings: Settings) -> str:
    """A hash of people's decisions on identity."""
    return _hash_files([settings.config / DECISIONS])


def decisions_are_built(settings: Settings) -> bool:
    """Whether the last build saw today's decisions."""
    row = _read_one(settings, "select decisions from pipeline.decisions_built")
    return row is not None and row[0] == decisions_hash(settings)


def sources_state(settings: Settings) -> str:
    """The sources that are taken and each contract's hash: what makes raw tables of deliveries."""
    contracts = sorted((settings.contracts / "sources").glob("*.odcs.yaml"))
    hashes = {path.name: _hash_files([path]) for path in contracts}
    return json.dumps({"taken": _taken_sources(settings), "contracts": hashes}, sort_keys=True)


def keeps_loaded(settings: Settings, before: str) -> bool:
    """Whether the raw tables of when `sources_state` told `before` can be gone on with.

    More sources or tables leave them as they are: their deliveries come late, as others. So do
    those of a table with another contract, which the loader empties and loads anew: what becomes
    of a row depends on its own table's contract and deliveries alone.
    """
    try:
        then = json.loads(before)
    except ValueError:
        # Written by a version that kept a hash of it all.
        return False
    now = json.loads(sources_state(settings))
    taken = set(then["taken"])
    return taken <= set(now["taken"]) and all(
        name in now["contracts"] for name in then["contracts"] if name.split(".")[0] in taken
    )


def _taken_sources(settings: Settings) -> list[str]:
    from orchestration.ingest.sources import load_sources

    return sorted(name for name, source in load_sources(settings).items() if source.enabled)


def waiting_nights(settings: Settings, until: date | None = None) -> list[date]:
    """The nights of the deliveries and replays that no run has taken yet, oldest first.

    Args:
        settings: The home to look at.
        until: Last night to consider, inclusive; None means all.
    """
    nights = {received_at.date() for received_at in waiting_deliveries(settings).values()}
    nights |= {instant.date() for instant in waiting_replays(settings)}
    return sorted(night for night in nights if until is None or night <= until)


def waiting_deliveries(settings: Settings) -> dict[tuple[str, str, str], datetime]:
    """When each delivery that a run would take was received, by source, entity and id."""
    known = known_deliveries(settings)
    enabled = set(_taken_sources(settings))
    contracts = {path.name for path in (settings.contracts / "sources").glob("*.odcs.yaml")}
    return {
        delivery: received_at
        for delivery, received_at in _landed_deliveries(settings)
        if delivery not in known
        and delivery[0] in enabled
        and f"{delivery[0]}.{delivery[1]}.odcs.yaml" in contracts
    }


def waiting_replays(settings: Settings) -> list[datetime]:
    """The instants of the replays that no run has taken yet, UTC."""
    from orchestration.ingest.acts import REPLAY, read_acts

    taken = {number for (number,) in _read(settings, "select act_number from ingest.acts")}
    return [
        act.at.replace(tzinfo=UTC)
        for act in read_acts(settings)
        if act.act == REPLAY and act.number not in taken
    ]


def last_build(settings: Settings) -> LastBuild | None:
    """The warehouse's record of the last build, or None."""
    row = _read_one(
        settings,
        "select configuration, sources, load_number, is_released from pipeline.last_build",
    )
    return LastBuild(str(row[0]), str(row[1]), int(str(row[2])), bool(row[3])) if row else None


def record_build(settings: Settings) -> None:
    """Record that the marts were built under today's configuration, not yet released.

    They hold what the id ledger had resolved, which is less than what was loaded when somebody
    built them without the steps before.
    """
    _write(
        settings,
        "create or replace table pipeline.last_build as select ?::text as configuration, "
        "?::text as sources, ?::bigint as load_number, false as is_released",
        [
            configuration_hash(settings),
            sources_state(settings),
            min(newest_load(settings), phase_load(settings, RESOLVED)),
        ],
    )
    _write(
        settings,
        "create or replace table pipeline.decisions_built as select ?::text as decisions",
        [decisions_hash(settings)],
    )


def record_phase(settings: Settings, phase: str, load_number: int) -> None:
    """Record up to which load a phase before the marts is done.

    Args:
        settings: The home to write in.
        phase: `MATCHED` or `RESOLVED`.
        load_number: The newest load that the phase has seen.
    """
    _write(settings, _PHASE_MARKS, [])
    _write(settings, "delete from pipeline.phase_marks where phase = ?", [phase])
    _write(settings, "insert into pipeline.phase_marks values (?, ?)", [phase, load_number])


def phase_load(settings: Settings, phase: str) -> int:
    """The newest load that a phase has seen; 0 where it was never done."""
    query = f"select max(load_number) from pipeline.phase_marks where phase = '{phase}'"
    row = _read_one(settings, query)
    return int(str(row[0])) if row and row[0] is not None else 0


def require_built(settings: Settings) -> None:
    """Refuse to publish marts that are behind the loads or the configuration.

    Raises:
        JourneylineError: Something was loaded or changed since everything was last built.
    """
    build = last_build(settings)
    if build is None or build.load_number != newest_load(settings):
        behind = "They do not hold everything that was loaded."
    elif build.configuration != configuration_hash(settings):
        behind = "The configuration, a contract or a model changed since they were built."
    elif not decisions_are_built(settings):
        behind = "Somebody decided on identity since they were built."
    else:
        return
    raise JourneylineError(
        f"The marts are behind, so they are not published. {behind}",
        where=str(settings.warehouse),
        next_step="Materialize all assets, or type `journeyline run`.",
    )


def record_release(settings: Settings) -> None:
    """Record that the last build is the current release, where it saw the newest load."""
    if last_build(settings) is not None:
        _write(
            settings,
            "update pipeline.last_build set is_released = true where load_number = ?::bigint",
            [newest_load(settings)],
        )


def record_change(settings: Settings) -> None:
    """Record that the last build is behind: something is about to be loaded or rebuilt."""
    if last_build(settings) is not None:
        _write(settings, "update pipeline.last_build set is_released = false", [])


def newest_load(settings: Settings) -> int:
    """The number of the newest load; 0 where there is none."""
    row = _read_one(settings, "select max(load_number) from ingest.deliveries")
    return int(str(row[0])) if row and row[0] is not None else 0


def current_as_of(settings: Settings) -> datetime | None:
    """The as-of of the warehouse, UTC and naive, or None where nothing was loaded."""
    row = _read_one(settings, "select as_of from pipeline.clock")
    value = row[0] if row else None
    return value if isinstance(value, datetime) else None


def last_night(settings: Settings) -> date | None:
    """The night the warehouse stands at."""
    as_of = current_as_of(settings)
    return None if as_of is None else (as_of - timedelta(microseconds=1)).date()


def newest_night(settings: Settings) -> date:
    """The last night with a delivery or an act on rows.

    Raises:
        JourneylineError: The landing holds no delivery (exit 2).
    """
    from orchestration.ingest.acts import read_acts

    require_landing(settings)
    arrivals = [received_at for _, received_at in _landed_deliveries(settings)]
    arrivals += [act.at.replace(tzinfo=UTC) for act in read_acts(settings)]
    return max(arrivals).date()


def require_landing(settings: Settings) -> None:
    """Refuse to run where nothing was ever delivered.

    Raises:
        JourneylineError: The landing holds no delivery (exit 2).
    """
    if not any(True for _ in _landed_deliveries(settings)):
        raise JourneylineError(
            "There is nothing to run: no delivery has landed.",
            where=str(settings.landing),
            next_step="Type `journeyline demo` for a demo company, or land your own sources "
            "(docs/your-own-data.md).",
            exit_code=EXIT_USAGE,
        )


def _landed_deliveries(settings: Settings) -> Iterable[tuple[tuple[str, str, str], datetime]]:
    for manifest in settings.landing.glob("*/*/*/manifest.json"):
        folder = manifest.parent
        stamp = folder.name.split("Z-", 1)[0]
        try:
            received_at = datetime.strptime(stamp, "%Y-%m-%dT%H%M%S").replace(tzinfo=UTC)
        except ValueError:
            continue
        yield (folder.parent.parent.name, folder.parent.name, folder.name), received_at


def known_deliveries(settings: Settings) -> set[tuple[str, str, str]]:
    """Source, entity and id of each delivery that a load has taken."""
    rows = _read(settings, "select source, entity, delivery_id from ingest.deliveries")
    return {(str(source), str(entity), str(delivery)) for source, entity, delivery in rows}


def _read_one(settings: Settings, query: str) -> tuple[object, ...] | None:
    rows = _read(settings, query)
    return rows[0] if rows else None


def _read(settings: Settings, query: str) -> list[tuple[object, ...]]:
    """Rows of a query on the warehouse; none where the file or the table does not exist yet."""
    if not settings.warehouse.exists():
        return []
    try:
        connection = warehouse.connect(settings.warehouse, read_only=True)
    except duckdb.IOException as error:
        raise JourneylineError(
            "The warehouse cannot be opened: another process has it open.",
            where=str(settings.warehouse),
            next_step="Close that program, or wait for its run to end.",
        ) from error
    try:
        return connection.execute(query).fetchall()
    except duckdb.CatalogException:
        return []
    finally:
        connection.close()


def _write(settings: Settings, statement: str, values: list[object]) -> None:
    connection = warehouse.connect(settings.warehouse)
    try:
        connection.execute("create schema if not exists pipeline")
        connection.execute(statement, values)
    finally:
        connection.close()


def _hash_files(roots: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for root in roots:
        paths = sorted(root.rglob("*")) if root.is_dir() else [root]
        for path in paths:
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
