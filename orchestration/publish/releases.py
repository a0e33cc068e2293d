"""What can be asked of published releases, and the way back to an earlier one.

Belongs here: listing, showing, verifying, rolling back. Making releases belongs to `publisher`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.publish import database, files, journal, manifest
from orchestration.publish.finding import (
    CURRENT,
    find_release,
    release_before,
    release_folders,
)
from orchestration.publish.flipping import flip, recover
from orchestration.publish.replacing import strayed_views
from orchestration.settings import Settings

ROLLED_BACK = "rolled back"
KEPT = "kept"


@dataclass(frozen=True)
class ReleaseSummary:
    """One release in a list; times are UTC text.

    Args:
        release_id: The release.
        standing: `current`, `rolled back` or `kept`.
        as_of: Instant its data is as of.
        created_at: When it was made.
        rows: Rows of all its tables.
        checks_passed: Checks that held.
        checks_warned: Checks of severity warning that did not.
        previous_release_id: The release served before it.
        is_pinned: No retention removes it.
    """

    release_id: str
    standing: str
    as_of: str
    created_at: str
    rows: int
    checks_passed: int
    checks_warned: int
    previous_release_id: str | None
    is_pinned: bool = False


@dataclass(frozen=True)
class Verification:
    """A release that is what its manifest says.

    Args:
        release_id: The release.
        files_count: Files whose SHA-256 is the one in the manifest.
        bytes_count: Bytes of those files.
    """

    release_id: str
    files_count: int
    bytes_count: int


@dataclass(frozen=True)
class RollbackReport:
    """A rollback that was carried out.

    Args:
        release_id: The release that is served now.
        left_release_id: The release that was left behind.
        is_held: Nothing is published until a person says so.
    """

    release_id: str
    left_release_id: str
    is_held: bool


def list_releases(settings: Settings) -> list[ReleaseSummary]:
    """Every kept release, newest first."""
    state = journal.standing(settings)
    left = set(state.left_behind.values())
    pinned = journal.pins(settings)
    summaries = []
    for folder in release_folders(settings):
        content = manifest.read_manifest(folder)
        verdicts = [check["verdict"] for check in content["checks"]]
        kept = ROLLED_BACK if folder.name in left else KEPT
        summaries.append(
            ReleaseSummary(
                release_id=folder.name,
                standing=CURRENT if folder.name == state.current else kept,
                as_of=content["as_of"],
                created_at=content["created_at"],
                rows=sum(table["rows"] for table in content["tables"].values()),
                checks_passed=verdicts.count("passed"),
                checks_warned=verdicts.count("warned"),
                previous_release_id=content["previous_release_id"],
                is_pinned=folder.name in pinned,
            )
        )
    return sorted(summaries, key=lambda s: (s.created_at, s.release_id), reverse=True)


def show_release(settings: Settings, release_id: str | None = None) -> dict[str, Any]:
    """The manifest of a release (by default `current`), with its `path` and its `standing`.

    Raises:
        JourneylineError: There is no such release (exit 2).
    """
    folder = find_release(settings, release_id or CURRENT)
    standing = next(s.standing for s in list_releases(settings) if s.release_id == folder.name)
    return {**manifest.read_manifest(folder), "path": str(folder), "standing": standing}


def verify_release(settings: Settings, release_id: str | None = None) -> Verification:
    """Compare files with the manifest's SHA-256, it with the journal's; open the DuckDB file.

    Raises:
        JourneylineError: There is no such release (exit 2), or it is not what was published
            (exit 1); every file concerned is named.
    """
    folder = find_release(settings, release_id or CURRENT)
    stated = manifest.read_manifest(folder)["files"]
    present = set(files.files_under(folder)) - {manifest.FILE_NAME}
    problems = [f"{name} is missing." for name in sorted(set(stated) - present)]
    problems += [f"{name} is not in the manifest." for name in sorted(present - set(stated))]
    for name in sorted(present & set(stated)):
        if files.sha256_of(folder / name) != stated[name]["sha256"]:
            problems.append(f"{name} has other bytes than were published.")
    published = journal.manifest_hash(settings, folder.name)
    if published not in (None, files.sha256_of(folder / manifest.FILE_NAME)):
        problems.append(f"{manifest.FILE_NAME} is not the one that was published.")
    if not problems:
        problems += opening_problems(folder)
    if problems:
        raise JourneylineError(
            f"Release {folder.name} is not what was published: {' '.join(problems)}",
            str(folder),
            "Roll back to a release that verifies, or run again to publish anew.",
        )
    return Verification(folder.name, len(stated), sum(e["bytes"] for e in stated.values()))


def stale_sources(settings: Settings) -> list[str]:
    """Source tables of the current release whose last good delivery is older than promised."""
    if journal.current_release(settings) is None:
        return []
    sources = manifest.read_manifest(find_release(settings, CURRENT)).get("sources", {})
    return [
        f"{name}: last good delivery {entry['watermark']}, promised every "
        f"{entry['freshness_days']:g} days"
        for name, entry in sources.items()
        if entry["is_stale"]
    ]


def rollback_in_force(settings: Settings) -> dict[str, Any] | None:
    """The rollback that no publication has superseded yet, as the journal has it."""
    act = journal.standing(settings).rollback
    if act is None:
        return None
    return {name: act[name] for name in ("left_release_id", "by", "reason", "at", "hold")}


def rollback(
    settings: Settings,
    release_id: str | None = None,
    *,
    by: str,
    reason: str,
    hold: bool = False,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> RollbackReport:
    """Serve an earlier release again. Needs the writer lock.

    Args:
        settings: The home folder.
        release_id: The release to serve; by default the one served before the current one.
        by: Who asks for it.
        reason: Why.
        hold: Publish nothing afterwards, whatever changes.
        now: The clock of acts.

    Raises:
        JourneylineError: There is no such release, or none before the current one (exit 2), or
            the release is damaged (exit 1).
    """
    recover(settings, now)
    left = find_release(settings, CURRENT)
    left_manifest = manifest.read_manifest(left)
    if release_id is None:
        target = _before(settings, left_manifest)
    else:
        target = find_release(settings, release_id)
    if target == left:
        raise JourneylineError(
            f"Release {left.name} is the one that is served.",
            str(settings.current),
            "Name another one; `journeyline releases list` shows them.",
            EXIT_USAGE,
        )
    problems = opening_problems(target)
    if problems:
        raise JourneylineError(
            problems[0], str(target), "Name another release; this one is damaged."
        )
    journal.append_act(
        settings,
        {
            "act": journal.ROLL_BACK,
            "at": manifest.instant(now()),
            "release_id": target.name,
            "content_hash": manifest.read_manifest(target)["content_hash"],
            "left_release_id": left.name,
            "left_content_hash": left_manifest["content_hash"],
            "by": by,
            "reason": reason,
            "hold": hold,
        },
    )
    flip(settings, target.name)
    return RollbackReport(target.name, left.name, hold)


def _before(settings: Settings, content: dict[str, Any]) -> Path:
    before = release_before(settings, content)
    if before is None:
        raise JourneylineError(
            "There is no release before the current one.",
            content["release_id"],
            "`journeyline releases list` shows which there are.",
            EXIT_USAGE,
        )
    return before


def opening_problems(folder: Path) -> list[str]:
    """What keeps a release from being served; nothing where it can be opened."""
    try:
        with database.reading(folder / database.FILE_NAME) as connection:
            row = connection.execute("select release_id from _release").fetchone()
    except duckdb.Error as error:
        return [f"{database.FILE_NAME} cannot be opened: {error}"]
    if row is None or row[0] != folder.name:
        return [f"{database.FILE_NAME} is of another release."]
    strayed = strayed_views(folder)
    if strayed:
        return [
            f"{', '.join(strayed)} lead to files of another place; "
            "`journeyline releases relocate` mends them."
        ]
    return []
