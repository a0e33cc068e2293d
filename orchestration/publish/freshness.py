"""How old each source's data may be, and how old it is.

Belongs here: what a manifest says of each source table. One that never delivered promised nothing.
A table is stale when its last good delivery is older than its contract allows, and its source was
silent as long or what came since was refused or held: a table on which nothing changed is not
delivered, and not stale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from orchestration.settings import Settings

_INSTANT = "%Y-%m-%dT%H:%M:%SZ"
_COUNTS = (
    "landed_count",
    "accepted_count",
    "quarantined_count",
    "duplicate_count",
    "erased_count",
)
Freshness = Mapping[tuple[str, str], float]


def load_freshness(settings: Settings) -> Freshness:
    """Days that the newest good delivery may be old, per source and entity that promises it.

    Raises:
        JourneylineError: A source's contract cannot be used (exit 2).
    """
    from orchestration.ingest.contracts import load_contracts

    if not (settings.contracts / "sources").is_dir():
        return {}
    return {
        key: contract.freshness_days
        for key, contract in load_contracts(settings).items()
        if contract.freshness_days is not None
    }


def describe_sources(
    inputs: Sequence[Mapping[str, Any]], freshness: Freshness, as_of: datetime
) -> dict[str, dict[str, Any]]:
    """Per `source/entity`: deliveries by status, rows, watermark, and whether it is stale.

    Args:
        inputs: The row ledger, one entry per delivery.
        freshness: Days that the newest good delivery may be old.
        as_of: Instant the release is as of, UTC.
    """
    by_table: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for entry in inputs:
        by_table.setdefault((entry["source"], entry["entity"]), []).append(entry)
    newest: dict[str, str] = {}
    for entry in inputs:
        if entry["status"] == "loaded":
            newest[entry["source"]] = max(newest.get(entry["source"], ""), entry["received_at"])
    return {
        f"{source}/{entity}": _describe(
            entries, freshness.get((source, entity)), newest.get(source, ""), as_of
        )
        for (source, entity), entries in sorted(by_table.items())
    }


def _describe(
    entries: Sequence[Mapping[str, Any]], days: float | None, source_at: str, as_of: datetime
) -> dict[str, Any]:
    statuses = [entry["status"] for entry in entries]
    good = [entry for entry in entries if entry["status"] == "loaded"]
    newest = max(good, key=lambda entry: (entry["received_at"], entry["delivery_id"]), default=None)
    watermark = newest["received_at"] if newest else None
    is_stale = False
    if days is not None and watermark is not None:
        oldest = (as_of - timedelta(days=days)).strftime(_INSTANT)
        bad = [e["received_at"] for e in entries if e["status"] != "loaded"]
        is_stale = watermark < oldest and (source_at < oldest or max(bad, default="") > watermark)
    return {
        "deliveries": {name: statuses.count(name) for name in ("loaded", "refused", "held")},
        **{name: sum(int(entry[name]) for entry in entries) for name in _COUNTS},
        "watermark": watermark,
        "newest_sha256": newest["sha256"] if newest else None,
        "freshness_days": days,
        "is_stale": is_stale,
    }
