"""Erasing a person from everything that is kept, so that no re-delivery brings them back.

Order: everything derived is deleted, the tombstone is written, then what it says is carried out on
landing and releases, and an act in `landing/acts.ndjson` closes it. An erasure without that act was
interrupted: the next run carries it out from the tombstone alone, before it loads anything.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from orchestration.act_lines import append_lines, complete_lines
from orchestration.connectors.keeping import forget_rows
from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.followers.following import follow_all
from orchestration.ingest.acts import acts_path
from orchestration.ingest.contracts import load_contracts
from orchestration.pipeline.locking import writing
from orchestration.privacy import screening
from orchestration.privacy.handles import (
    append_tombstone,
    hasher,
    load_privacy,
    read_tombstones,
    tombstones_path,
)
from orchestration.privacy.published_events import event_handles
from orchestration.privacy.recognising import RowReader
from orchestration.privacy.redacting import build_twins
from orchestration.privacy.resolving import resolve
from orchestration.publish import files, journal
from orchestration.publish.flipping import STAGING, recover
from orchestration.publish.replacing import serve_twins
from orchestration.settings import Settings
from orchestration.unify.rules import load_identity_rules
from orchestration.warehouse import connect

ERASE = "erase"


@dataclass(frozen=True)
class Receipt:
    """What an erasure did; it names nobody.

    Args:
        erasure_id: Its name, also of its tombstone.
        at: When, UTC.
        by: Who asked for it.
        reason: Why.
        deliveries: Deliveries that were replaced.
        erased_rows: Rows that went from them.
        releases: Redacted twin per release that it took the place of.
        hashes: Keyed hashes in the tombstone.
        shared: Identifiers that others bear too, by type; their rows stayed.
    """

    erasure_id: str
    at: str
    by: str
    reason: str
    deliveries: int
    erased_rows: int
    releases: dict[str, str]
    hashes: int
    shared: dict[str, int]


def erase_person(
    settings: Settings,
    identifier: str,
    *,
    by: str,
    reason: str,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Receipt:
    """Erase the person whom an identifier means; everything derived has to be rebuilt after it.

    Args:
        settings: Home and project.
        identifier: See `resolving.resolve`.
        by: Who asks for it.
        reason: Why; it must not name the person.
        now: The clock of acts.

    Raises:
        JourneylineError: Nobody or several are meant (exit 2).
    """
    from orchestration.pipeline import steps

    if not reason.strip() or identifier.strip().lower() in reason.lower():
        raise JourneylineError(
            "An erasure needs a reason, and the reason must not name the person.",
            "--reason",
            "Say why, such as a request's number.",
            EXIT_USAGE,
        )
    with writing(settings):
        steps.prepare(settings)
        privacy, hashed = load_privacy(settings), hasher(settings)
        rules = load_identity_rules(settings)
        person = resolve(settings, privacy, identifier, rules.normalisers)
        contracts = load_contracts(settings)
        hashes = {hashed(handle) for handle in person.handles}
        reader = RowReader(privacy, contracts, hashed, rules)
        hashes |= reader.belongings(settings, hashes)
        named = [s for d in screening.deliveries(settings) if (s := reader.screen(d, hashes))]
        # What such a row became may be another's: an agent's comment on somebody else's ticket.
        hashes |= {hashed(handle) for handle in event_handles(settings, contracts, named)}
        hashes |= reader.corrected(settings, named)
        at = now().strftime("%Y-%m-%dT%H:%M:%SZ")
        name = hashlib.sha256("".join(sorted(hashes)).encode()).hexdigest()[:8]
        erasure_id = f"{at.replace(':', '')}-{name}"
        steps.delete_derived(settings)
        shutil.rmtree(settings.logs, ignore_errors=True)
        append_tombstone(settings, erasure_id, at, hashes)
        said = {"by": by, "reason": reason, "hashes": len(hashes), "shared": person.shared}
        return _carry_out(settings, erasure_id, at, said, now)


def finish_erasures(
    settings: Settings, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> None:
    """Carry out what a dead erasure left undone. Needs the writer lock."""
    screening.finish_replacement(settings)
    path = tombstones_path(settings)
    if not path.exists():
        return
    done = {act["erasure_id"] for act in _acts(settings)}
    for line in path.read_text(encoding="utf-8").splitlines():
        stone = json.loads(line)
        if stone["erasure_id"] not in done:
            said = {"by": "", "reason": "interrupted", "hashes": len(stone["hashes"])}
            _carry_out(settings, stone["erasure_id"], stone["at"], {**said, "shared": {}}, now)


def screen_landing(settings: Settings) -> int:
    """Take the erased out of deliveries that no load has taken; gives the rows. Needs the lock.

    This is how a re-delivery stays erased: its rows never reach the warehouse.
    """
    hashes = read_tombstones(settings)
    if not hashes:
        return 0
    privacy, hashed = load_privacy(settings), hasher(settings)
    rules = load_identity_rules(settings)
    contracts = load_contracts(settings)
    reader = RowReader(privacy, contracts, hashed, rules)
    known = _known_deliveries(settings)
    fresh = [
        d
        for d in screening.deliveries(settings)
        if (d.source, d.entity, d.delivery_id) not in known
    ]
    found = [s for d in fresh if (s := reader.screen(d, hashes)) and s.erased is not None]
    if found:
        screening.replace_deliveries(settings, contracts, found)
    return sum(len(item.erased or ()) for item in found)


def _carry_out(
    settings: Settings,
    erasure_id: str,
    at: str,
    said: Mapping[str, Any],
    now: Callable[[], datetime],
) -> Receipt:
    hashes = read_tombstones(settings)
    privacy, hashed = load_privacy(settings), hasher(settings)
    contracts = load_contracts(settings)
    rules = load_identity_rules(settings)
    reader = RowReader(privacy, contracts, hashed, rules)
    # Rows of a fetch that was cut off: the next fetch asks for them again, and screens them.
    forget_rows(settings)
    found = [s for d in screening.deliveries(settings) if (s := reader.screen(d, hashes))]
    if found:
        screening.replace_deliveries(settings, contracts, found)
    replaced: dict[str, str] = {}
    if settings.releases.is_dir():
        recover(settings, now)
        try:
            twins = build_twins(settings, privacy, hashes, now())
            reported = {"erasure_id": erasure_id}
            replaced = serve_twins(settings, twins, journal.ERASE, reported, now).replaced
        finally:
            files.remove_tree(settings.releases / STAGING)
    rows = sum(len(item.erased or ()) for item in found)
    receipt = Receipt(
        erasure_id=erasure_id,
        at=at,
        by=str(said["by"]),
        reason=str(said["reason"]),
        deliveries=len(found),
        erased_rows=rows,
        releases=replaced,
        hashes=int(said["hashes"]),
        shared=dict(said["shared"]),
    )
    _append_act(settings, receipt)
    follow_all(settings)
    return receipt


def _append_act(settings: Settings, receipt: Receipt) -> None:
    path = acts_path(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps({"act": ERASE, **asdict(receipt)}, ensure_ascii=False).encode() + b"\n"
    append_lines(path, line)


def _acts(settings: Settings) -> list[dict[str, Any]]:
    lines = complete_lines(acts_path(settings))
    return [act for line in lines if (act := json.loads(line))["act"] == ERASE]


def _known_deliveries(settings: Settings) -> set[tuple[str, str, str]]:
    if not settings.warehouse.exists():
        return set()
    with closing(connect(settings.warehouse, read_only=True)) as connection:
        try:
            rows = connection.execute(
                "select source, entity, delivery_id from ingest.deliveries"
            ).fetchall()
        except duckdb.CatalogException:
            return set()
    return {(str(s), str(e), str(d)) for s, e, d in rows}
