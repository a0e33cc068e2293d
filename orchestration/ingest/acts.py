"""Acts on quarantined rows: `landing/acts.ndjson`, one line per act and table, append-only.

An act names rows by their place in a delivery (`delivery_id` and runs of row numbers) and bears the
instant from which it holds. A replayed row keeps its event time and arrives at that instant. Where
acts disagree about a row, the later one counts. Nothing here judges a row; the loader does.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestration.act_lines import append_lines, complete_lines
from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.settings import Settings

REPLAY = "replay"
DISCARD = "discard"
RETENTION = "retention"
# Other acts of the file (erasures, retention) belong to those who write them.
_ROW_ACTS = (REPLAY, DISCARD)
_INSTANT = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Act:
    """One act on rows of one table.

    Args:
        number: Its line in the file, from 1.
        act: `replay` or `discard`.
        at: Instant from which it holds, UTC without zone.
        source: Source of the rows.
        entity: Table of the rows.
        rows: Runs of row numbers (first, last) by delivery id.
        reason: What the person said.
        delivered_as: The delivery that corrects the rows.
    """

    number: int
    act: str
    at: datetime
    source: str
    entity: str
    rows: Mapping[str, tuple[tuple[int, int], ...]]
    reason: str | None = None
    delivered_as: str | None = None

    @property
    def row_count(self) -> int:
        """Rows that it names."""
        return sum(last - first + 1 for runs in self.rows.values() for first, last in runs)


@dataclass(frozen=True)
class TableActs:
    """The acts on one table that a load has to heed, in their order.

    Args:
        heeded: Acts up to the load's last night.
        fresh: Those of them that no load has taken yet.
    """

    heeded: tuple[Act, ...] = ()
    fresh: tuple[Act, ...] = ()

    def replayed_deliveries(self) -> set[str]:
        """Deliveries with rows that have to be judged again."""
        return {delivery for act in self.fresh if act.act == REPLAY for delivery in act.rows}


@dataclass
class _Runs:
    """Row numbers gathered into runs."""

    runs: list[list[int]] = field(default_factory=list)

    def add(self, number: int) -> None:
        if self.runs and self.runs[-1][1] + 1 == number:
            self.runs[-1][1] = number
        else:
            self.runs.append([number, number])


def acts_path(settings: Settings) -> Path:
    """Where the acts stand."""
    return settings.landing / "acts.ndjson"


def read_acts(settings: Settings) -> list[Act]:
    """Every replay and discard, in the order of the file; a half-written last line is no act.

    Raises:
        JourneylineError: A line cannot be read; names it.
    """
    path = acts_path(settings)
    found = []
    for number, line in enumerate(complete_lines(path), start=1):
        try:
            said = json.loads(line)
            if said["act"] in _ROW_ACTS:
                found.append(_act(number, said))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise JourneylineError(
                f"A line of the acts cannot be read: {error!r}.",
                where=f"{path}:{number}",
                next_step="Restore the file; it is part of the state and is only ever added to.",
                exit_code=EXIT_USAGE,
            ) from error
    return found


def append_acts(
    settings: Settings,
    act: str,
    rows: Iterable[tuple[str, str, str, int]],
    at: datetime,
    reason: str | None = None,
    delivered_as: str | None = None,
) -> int:
    """Add one line per table, durably; a line that a dead writer left half written is cut off.

    Args:
        settings: The home folder; its writer lock is held.
        act: `replay` or `discard`.
        rows: Source, entity, delivery id and row number of each row, in this order.
        at: Instant from which the act holds, UTC without zone, in whole seconds.
        reason: What the person said.
        delivered_as: The delivery that corrects the rows.

    Returns:
        The number of rows named.
    """
    tables: dict[tuple[str, str], dict[str, _Runs]] = defaultdict(lambda: defaultdict(_Runs))
    count = 0
    for source, entity, delivery_id, row_number in rows:
        tables[source, entity][delivery_id].add(row_number)
        count += 1
    lines = b"".join(
        json.dumps(
            {
                "act": act,
                "at": at.strftime(_INSTANT),
                "source": source,
                "entity": entity,
                "rows": {delivery: runs.runs for delivery, runs in deliveries.items()},
                **({"reason": reason} if reason else {}),
                **({"delivered_as": delivered_as} if delivered_as else {}),
            },
            ensure_ascii=False,
        ).encode()
        + b"\n"
        for (source, entity), deliveries in tables.items()
    )
    path = acts_path(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    append_lines(path, lines)
    return count


def renumbered_acts(
    settings: Settings,
    gone: Mapping[tuple[str, str, str], tuple[int, ...] | None],
    *,
    with_reasons: bool,
) -> bytes:
    """The acts as they have to read when rows leave deliveries: they follow the rows that stay.

    Args:
        settings: The home folder.
        gone: Numbers of the rows that leave, by source, entity and delivery id; None where all do.
        with_reasons: Whether what was said of rows that leave stays; it may name a person.
    """
    lines = []
    for said in complete_lines(acts_path(settings)):
        act = json.loads(said)
        for delivery_id, runs in list(act.get("rows", {}).items()):
            key = (act.get("source"), act.get("entity"), delivery_id)
            if key in gone:
                act["rows"][delivery_id] = _renumbered(runs, gone[key])
                if not with_reasons and "reason" in act and _leave(runs, gone[key]):
                    act["reason"] = "erased"
        lines.append(json.dumps(act, ensure_ascii=False) + "\n")
    return "".join(lines).encode()


def next_instant(settings: Settings, as_of: datetime | None, now: datetime | None) -> datetime:
    """The instant of the next act: after all that was taken and after every earlier act.

    Args:
        settings: The home folder.
        as_of: Where the pipeline stands, UTC without zone.
        now: The clock's time, UTC without zone; None in a company whose nights are not the
            clock's.
    """
    second = timedelta(seconds=1)
    candidates = [act.at + second for act in read_acts(settings)]
    candidates += [as_of + second] if as_of is not None else []
    candidates += [now] if now is not None else []
    return max(candidates).replace(microsecond=0) if candidates else datetime(1970, 1, 1)


def acts_by_table(acts: Iterable[Act], taken: set[int]) -> dict[tuple[str, str], TableActs]:
    """What a load has to heed of the acts, by table.

    Args:
        acts: The acts up to the load's last night, in the order of the file.
        taken: Numbers of the acts that a load has taken already.
    """
    tables: dict[tuple[str, str], list[Act]] = defaultdict(list)
    for act in acts:
        tables[act.source, act.entity].append(act)
    return {
        table: TableActs(tuple(found), tuple(act for act in found if act.number not in taken))
        for table, found in tables.items()
    }


def _act(number: int, said: dict[str, object]) -> Act:
    rows = said["rows"]
    assert isinstance(rows, dict)
    return Act(
        number=number,
        act=str(said["act"]),
        at=datetime.fromisoformat(str(said["at"])).astimezone(UTC).replace(tzinfo=None),
        source=str(said["source"]),
        entity=str(said["entity"]),
        # A delivery whose rows were all erased is named with no run.
        rows={
            d: tuple((int(first), int(last)) for first, last in runs)
            for d, runs in rows.items()
            if runs
        },
        reason=str(said["reason"]) if said.get("reason") else None,
        delivered_as=str(said["delivered_as"]) if said.get("delivered_as") else None,
    )


def _leave(runs: Sequence[Sequence[int]], gone: tuple[int, ...] | None) -> bool:
    return gone is None or any(first <= n <= last for first, last in runs for n in gone)


def _renumbered(runs: Sequence[Sequence[int]], erased: tuple[int, ...] | None) -> list[list[int]]:
    if erased is None:
        return []
    gone = set(erased)
    kept = [n for first, last in runs for n in range(first, last + 1) if n not in gone]
    before = sorted(gone)
    numbers = [n - bisect_left(before, n) for n in kept]
    return [[n, n] for n in numbers]
