"""A fetch: pages of one table are kept on disk, landed as one delivery, then the cursor moves.

The order makes it repeatable after a kill at any point: pages are safe before the next is asked
for; landing knows a content that it holds; the cursor moves only after the landing's rename, and
only then are the pages deleted.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestration.connectors.feeds import Feed, PositionLost
from orchestration.connectors.keeping import (
    Endless,
    Kept,
    alone,
    read_cursor,
    table_folder,
    write_cursor,
)
from orchestration.connectors.raw_json import value_at
from orchestration.errors import JourneylineError
from orchestration.ingest.contracts import Contract
from orchestration.ingest.landing import Landed, land_once
from orchestration.settings import Settings

Clock = Callable[[], datetime]
Tell = Callable[[str], None]
_RESTARTS = 3
_IDLE_PAGES = 5


@dataclass(frozen=True)
class Fetchable:
    """One table that an entry of `sources.yml` says how to fetch.

    Args:
        contract: The table's contract.
        feed: Where its rows come from.
        fingerprint: Hash of what decides which rows are asked for; a fetch under way that was
            begun under another one begins again.
        columns: JSON path of each column, where the contract reads CSV.
        max_pages: A fetch of more pages is taken for endless.
    """

    contract: Contract
    feed: Feed
    fingerprint: str
    columns: Mapping[str, str]
    max_pages: int

    @property
    def label(self) -> str:
        """`source/entity`."""
        return self.contract.label


@dataclass(frozen=True)
class Fetched:
    """What became of one table's fetch.

    Args:
        table: `source/entity`.
        records: Records, or files, that were taken.
        pages: Pages that were asked for.
        deliveries: Deliveries that hold them; empty where there was nothing to land.
        is_new: Whether landing gained a delivery.
        was_resumed: Whether a fetch that had been cut off was completed first.
        error: Why it failed; None where it did not.
    """

    table: str
    records: int
    pages: int
    deliveries: tuple[str, ...]
    is_new: bool
    was_resumed: bool
    error: str | None = None


def fetch_table(settings: Settings, table: Fetchable, clock: Clock, tell: Tell) -> Fetched:
    """Fetch one table and land what came; a fetch that was cut off is completed first.

    Args:
        settings: The home.
        table: What to fetch.
        clock: The present, with its zone; the landing's instant of arrival.
        tell: Told one line as pages come.

    Raises:
        JourneylineError: The source failed; the pages taken so far are kept for the next fetch.
    """
    folder = table_folder(settings, table.contract.source, table.contract.entity)
    with alone(folder):
        kept = Kept.resume(folder, table.fingerprint)
        if kept is not None:
            tell(f"{table.label}: going on after {kept.pages} page(s) …")
            first = _complete(settings, folder, table, kept, clock, tell)
        started = Kept.start(
            folder, table.fingerprint, table.feed.begin(read_cursor(folder), clock())
        )
        second = _complete(settings, folder, table, started, clock, tell)
        if kept is None:
            return second
        return Fetched(
            table.label,
            first.records + second.records,
            first.pages + second.pages,
            (*first.deliveries, *second.deliveries),
            first.is_new or second.is_new,
            was_resumed=True,
        )


def _complete(
    settings: Settings, folder: Path, table: Fetchable, kept: Kept, clock: Clock, tell: Tell
) -> Fetched:
    landed: list[Landed] = []
    restarts = 0
    while not kept.is_complete:
        try:
            landed += _take_pages(settings, table, kept, clock, tell)
        except PositionLost as lost:
            restarts += 1
            if restarts > _RESTARTS:
                raise JourneylineError(
                    f"The source lost the place to go on from {restarts} times: {lost}",
                    where=table.label,
                    next_step="Type `journeyline sources fetch` again later.",
                ) from lost
            tell(f"{table.label}: {lost}; beginning this fetch again …")
            kept.restart()
        except Endless:
            kept.discard()
            raise
    if kept.file.exists() and kept.file.stat().st_size:
        file = kept.file
        if table.contract.format == "csv":
            file = _as_csv(file, table.columns, table.contract.delimiter)
        landed.append(_land(settings, table, file, clock()))
    cursor = {**table.feed.finish(kept.plan), "deliveries": [one.delivery_id for one in landed]}
    write_cursor(folder, cursor)
    done = Fetched(
        table.label,
        kept.records,
        kept.pages,
        tuple(one.delivery_id for one in landed),
        any(one.is_new for one in landed),
        was_resumed=False,
    )
    kept.discard()
    return done


def _take_pages(
    settings: Settings, table: Fetchable, kept: Kept, clock: Clock, tell: Tell
) -> list[Landed]:
    """Keep page after page; files of object storage are landed as they come."""
    landed = []
    idle = 0
    for page in table.feed.pages(kept.plan, kept.position):
        if page.file is not None:
            landed.append(_land(settings, table, page.file, clock()))
            page.file.unlink()
        fresh = kept.keep(page)
        idle = idle + 1 if page.lines and not fresh else 0
        if idle >= _IDLE_PAGES or kept.pages > table.max_pages:
            raise Endless(
                f"The source's pages have no end: {kept.pages} came, the last {idle} of them "
                "without a record that was new.",
                where=table.label,
                next_step="Look at the source's paging; max_pages of the connector's entry raises "
                "the bound.",
            )
        tell(f"{table.label}: page {kept.pages}, {kept.records:,} record(s)")
    return landed


def _land(settings: Settings, table: Fetchable, file: Path, received_at: datetime) -> Landed:
    contract = table.contract
    return land_once(settings, contract.source, contract.entity, file, received_at)


def _as_csv(file: Path, columns: Mapping[str, str], delimiter: str) -> Path:
    """The kept records as CSV, for a contract that reads CSV.

    Args:
        file: The records.
        columns: Header and JSON path of each column; nothing means the first record's own names.
        delimiter: What stands between the fields.
    """
    target = file.with_suffix(".csv")
    with (
        file.open(encoding="utf-8", newline="\n") as reader,
        target.open("w", encoding="utf-8", newline="") as writer,
    ):
        rows = csv.writer(writer, delimiter=delimiter, lineterminator="\n")
        header: list[str] = list(columns)
        for number, line in enumerate(reader):
            record = json.loads(line)
            if number == 0:
                header = header or list(record)
                rows.writerow(header)
            if columns:
                rows.writerow(_cell(value_at(record, path)) for path in columns.values())
            else:
                rows.writerow(_cell(record.get(name)) for name in header)
    return target


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def utc_now() -> datetime:
    """The present, in UTC and whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


def fingerprint_of(*parts: object) -> str:
    """A short hash of what decides which rows are asked for."""
    text = json.dumps([str(part) for part in parts])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
