"""Which releases are kept: pins, and removal by count and age.

Belongs here: pinning, unpinning and collecting releases, each an act in the journal. An act of
collection is written before anything is removed; what a dead run left of it, the next act removes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.publish import files, journal, manifest
from orchestration.publish.finding import CURRENT, find_release, release_before
from orchestration.publish.flipping import recover
from orchestration.publish.policy import ReleasePolicy, load_policy
from orchestration.publish.releases import list_releases
from orchestration.settings import Settings

PAST_COUNT = "more releases than keep_count"
PAST_AGE = "older than keep_days"
_INSTANT = "%Y-%m-%dT%H:%M:%SZ"


def _wall_clock() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class PinReport:
    """A pin that was set or lifted.

    Args:
        release_id: The release.
        is_pinned: Whether it is pinned now.
        changed: Whether it was otherwise before.
    """

    release_id: str
    is_pinned: bool
    changed: bool


@dataclass(frozen=True)
class CollectReport:
    """What retention removed, or would remove.

    Args:
        removed: Reason per release id.
        kept: Releases that stay.
        freed_bytes: Bytes of files that no other release shares.
        is_dry_run: Nothing was removed.
    """

    removed: dict[str, str]
    kept: int
    freed_bytes: int
    is_dry_run: bool


def pin(
    settings: Settings,
    release_id: str | None,
    *,
    by: str,
    reason: str,
    now: Callable[[], datetime] = _wall_clock,
) -> PinReport:
    """Keep a release (by default `current`) whatever its age. Needs the writer lock.

    Raises:
        JourneylineError: There is no such release (exit 2).
    """
    recover(settings, now)
    folder = find_release(settings, release_id or CURRENT)
    return _set_pin(settings, folder.name, journal.PIN, by, reason, now)


def unpin(
    settings: Settings,
    release_id: str,
    *,
    by: str,
    reason: str,
    now: Callable[[], datetime] = _wall_clock,
) -> PinReport:
    """Let retention remove a release again. Needs the writer lock.

    Raises:
        JourneylineError: There is no such release (exit 2).
    """
    recover(settings, now)
    folder = find_release(settings, release_id)
    return _set_pin(settings, folder.name, journal.UNPIN, by, reason, now)


def collect(
    settings: Settings, *, dry_run: bool = False, now: Callable[[], datetime] = _wall_clock
) -> CollectReport:
    """Remove the releases that are past a bound of `releases.yml`. Needs the writer lock.

    Args:
        settings: The home folder.
        dry_run: Only say what would go.
        now: The clock that ages are counted to.

    Raises:
        JourneylineError: `releases.yml` cannot be used (exit 2).
    """
    recover(settings, now)
    removed = _past_bounds(settings, load_policy(settings), now())
    freed = sum(_own_bytes(settings, release_id) for release_id in removed)
    if removed and not dry_run:
        act = {"act": journal.COLLECT, "at": manifest.instant(now())}
        journal.append_act(settings, {**act, "release_ids": sorted(removed), "reasons": removed})
        for release_id in removed:
            files.remove_tree(settings.releases / release_id)
        files.sync(settings.releases)
    kept = len(list_releases(settings)) - (len(removed) if dry_run else 0)
    return CollectReport(removed, kept, freed, dry_run)


def _set_pin(
    settings: Settings,
    release_id: str,
    act: str,
    by: str,
    reason: str,
    now: Callable[[], datetime],
) -> PinReport:
    if not reason.strip():
        raise JourneylineError(
            "A pin needs a reason.", release_id, "Say why with --reason.", EXIT_USAGE
        )
    wanted = act == journal.PIN
    changed = (release_id in journal.pins(settings)) != wanted
    if changed:
        said = {"at": manifest.instant(now()), "by": by, "reason": reason}
        journal.append_act(settings, {"act": act, "release_id": release_id, **said})
    return PinReport(release_id, wanted, changed)


def _past_bounds(settings: Settings, policy: ReleasePolicy, at: datetime) -> dict[str, str]:
    """Why each release goes, oldest first."""
    releases = list_releases(settings)
    if not releases or journal.current_release(settings) is None:
        return {}
    current = find_release(settings, CURRENT)
    before = release_before(settings, manifest.read_manifest(current))
    protected = {current.name, *([before.name] if before else ())}
    oldest = at.replace(tzinfo=None) - timedelta(days=policy.keep_days)
    past: dict[str, str] = {}
    for rank, release in enumerate(releases, start=1):
        if release.release_id in protected or release.is_pinned:
            continue
        if rank > policy.keep_count:
            past[release.release_id] = PAST_COUNT
        elif datetime.strptime(release.created_at, _INSTANT) < oldest:
            past[release.release_id] = PAST_AGE
    return dict(reversed(past.items()))


def _own_bytes(settings: Settings, release_id: str) -> int:
    paths = (settings.releases / release_id).rglob("*")
    stats = [path.stat() for path in paths if path.is_file()]
    return sum(found.st_size for found in stats if found.st_nlink == 1)
