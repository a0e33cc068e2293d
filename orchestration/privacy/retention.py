"""Retention: how long rows of each source table are kept, and what went because of its age.

Belongs here: what `privacy.yml` says of it, and the acts of retention in `landing/acts.ndjson`.
Taking the rows belongs to `ageing`. An act bears its instant (the as-of of a run, never the
clock), the horizon before which rows went, and a keyed hash of each row's key.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from orchestration.act_lines import complete_lines
from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.ingest.acts import RETENTION, acts_path
from orchestration.ingest.contracts import Contract, load_contracts
from orchestration.ingest.sources import load_sources
from orchestration.privacy.handles import Retention, load_privacy
from orchestration.proved_yaml import line_of
from orchestration.settings import Settings

Table = tuple[str, str]
_INSTANT = "%Y-%m-%dT%H:%M:%SZ"
_MARK = json.dumps({"act": RETENTION})[:-1].encode()
_TIMES = ("timestamp", "date")


@dataclass(frozen=True)
class RetentionAct:
    """What went from one table at one run.

    Args:
        at: As-of of the run, UTC without zone.
        source: Source of the rows.
        entity: Table of the rows.
        days: Days that rows of it are kept.
        horizon: Rows older than this went, UTC without zone.
        deliveries: Deliveries that were replaced.
        erased_rows: Rows that went from them.
        keys: Keyed hash of the key of each row that went.
    """

    at: datetime
    source: str
    entity: str
    days: int
    horizon: datetime
    deliveries: int = 0
    erased_rows: int = 0
    keys: tuple[str, ...] = ()

    @property
    def table(self) -> Table:
        """Source and entity."""
        return self.source, self.entity

    def line(self) -> bytes:
        """The act as a line of the file."""
        said = {
            "act": RETENTION,
            "at": self.at.strftime(_INSTANT),
            "source": self.source,
            "entity": self.entity,
            "reason": RETENTION,
            "days": self.days,
            "horizon": self.horizon.strftime(_INSTANT),
            "deliveries": self.deliveries,
            "erased_rows": self.erased_rows,
            "keys": list(self.keys),
        }
        return json.dumps(said).encode() + b"\n"


def kept_days(settings: Settings) -> dict[Table, int]:
    """Days that rows are kept, per table that says so; what is said of a table counts first.

    A source's name means its tables of events alone: a record that has not changed for long may
    still be in force, so a table of records has to be named itself.

    Raises:
        JourneylineError: `privacy.yml` names a source or table that there is not (exit 2).
    """
    said = load_privacy(settings).retention.days
    if not said:
        return {}
    contracts = load_contracts(settings)
    known = {contract.label for contract in contracts.values()} | {key[0] for key in contracts}
    for name in said:
        if name not in known:
            path = settings.config / "privacy.yml"
            text = path.read_text(encoding="utf-8")
            raise JourneylineError(
                f"privacy.yml keeps rows of {name!r}, which is no source and no table.",
                f"{path}:{line_of(text, ('retention', 'days', name))}",
                "Write source/entity or a source; `journeyline sources list` shows them.",
                EXIT_USAGE,
            )
    found = {
        key: said.get(
            contract.label, said.get(contract.source) if contract.version_column is None else None
        )
        for key, contract in contracts.items()
    }
    return {key: days for key, days in found.items() if days is not None}


def read_retention_acts(settings: Settings) -> list[RetentionAct]:
    """Every act of retention, in the order of the file."""
    lines = complete_lines(acts_path(settings))
    return [_act(json.loads(line)) for line in lines if line.startswith(_MARK)]


def acts_of(acts: Iterable[RetentionAct], table: Table) -> list[RetentionAct]:
    """The acts on one table, in their order."""
    return [act for act in acts if act.table == table]


def horizon_of(days: int, as_of: datetime) -> datetime:
    """The instant before which rows go at a run: a midnight, UTC without zone."""
    midnight = as_of.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=days)


def is_due(policy: Retention, days: int, earlier: Iterable[RetentionAct], as_of: datetime) -> bool:
    """Whether a run at `as_of` looks for rows of a table that are too old.

    It does when it never did, when rows are kept for fewer days now, and otherwise in the first
    run of a month or in each night's, as the policy says.

    Args:
        policy: `retention` of `privacy.yml`.
        days: Days that rows of the table are kept.
        earlier: Acts on the table.
        as_of: As-of of the run.
    """
    last = max(earlier, key=lambda act: act.at, default=None)
    if last is None or days < last.days:
        return True
    if policy.every == "night":
        return horizon_of(days, as_of) > last.horizon
    return (as_of.year, as_of.month) > (last.at.year, last.at.month)


def taken_horizons(acts: Iterable[RetentionAct]) -> dict[Table, datetime]:
    """Per table of which rows went: the newest instant before which they did."""
    found: dict[Table, datetime] = {}
    for act in acts:
        if act.erased_rows:
            found[act.table] = max(act.horizon, found.get(act.table, act.horizon))
    return found


def describe_retention(settings: Settings) -> list[dict[str, object]]:
    """What a manifest says of it: the tables of which rows went, and since when there are any."""
    return [
        {"source": source, "entity": entity, "horizon": horizon.strftime(_INSTANT)}
        for (source, entity), horizon in sorted(
            taken_horizons(read_retention_acts(settings)).items()
        )
    ]


def horizons_by_kind(settings: Settings) -> dict[str, datetime]:
    """Per kind of source of which rows went: the newest horizon of its tables."""
    sources = load_sources(settings)
    found: dict[str, datetime] = {}
    for (source, _), horizon in taken_horizons(read_retention_acts(settings)).items():
        kind = sources[source].kind if source in sources else ""
        found[kind] = max(horizon, found.get(kind, horizon))
    return found


def age_columns(contract: Contract) -> tuple[str, ...]:
    """The columns whose newest time is a row's age; none means its arrival.

    Of a table with versions it is the version's time, of events every time that they bear.
    """
    times = tuple(c.name for c in contract.columns if c.physical_type in _TIMES)
    if contract.version_column in times:
        return (str(contract.version_column),)
    return times


def age_sql(contract: Contract, places: Mapping[str, str], arrival: str) -> str:
    """The instant by which a row is as old as it is, as SQL.

    Args:
        contract: The table's contract.
        places: SQL of each of its columns.
        arrival: SQL of when the row arrived.
    """
    times = ", ".join(f"{places[name]}::timestamp" for name in age_columns(contract))
    return f"least(coalesce(greatest({times}), {arrival}), {arrival})" if times else arrival


def _act(said: Mapping[str, object]) -> RetentionAct:
    keys = said["keys"]
    assert isinstance(keys, list)
    return RetentionAct(
        at=_instant(said["at"]),
        source=str(said["source"]),
        entity=str(said["entity"]),
        days=int(str(said["days"])),
        horizon=_instant(said["horizon"]),
        deliveries=int(str(said["deliveries"])),
        erased_rows=int(str(said["erased_rows"])),
        keys=tuple(map(str, keys)),
    )


def _instant(value: object) -> datetime:
    return datetime.fromisoformat(str(value)).astimezone(UTC).replace(tzinfo=None)
