"""Followers keep up with the release: none of them blocks it or takes it back.

Belongs here: asking each follower to serve the current release, and remembering how that went in
`logs/followers.json`. A follower that could not keep up is asked again after the next publication
and by `journeyline releases follow`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from orchestration.followers.entries import CsvEntry, ObjectsEntry, PostgresEntry, load_followers
from orchestration.publish import journal
from orchestration.publish.finding import release_folders
from orchestration.settings import Settings

FILE_NAME = "followers.json"


@dataclass(frozen=True)
class Following:
    """How a follower stands.

    Args:
        name: The follower.
        kind: postgresql, objects or csv.
        release_id: The release that it serves; None where that is not known.
        is_behind: Whether it serves another one than `current`.
        error: Why, in one line; None where it kept up.
    """

    name: str
    kind: str
    release_id: str | None
    is_behind: bool
    error: str | None = None


def follow_all(settings: Settings) -> list[Following]:
    """Have every follower serve the current release; never raises for what a follower does.

    Raises:
        JourneylineError: `followers.yml` says something that cannot be (exit 2).
    """
    entries = load_followers(settings)
    release_id = journal.current_release(settings)
    if not entries or release_id is None:
        return []
    kept = frozenset(folder.name for folder in release_folders(settings))
    known = {entry.name: entry.release_id for entry in last_following(settings)}
    found = []
    for entry in entries:
        try:
            serve = _server(entry)
            served = serve(settings.current.resolve(), kept)
            found.append(Following(entry.name, entry.kind, served, served != release_id))
        except Exception as error:
            # Whatever a driver raises: the release is out, and a follower must not undo that.
            told = f"{type(error).__name__}: {str(error).strip().splitlines()[0][:200]}"
            found.append(Following(entry.name, entry.kind, known.get(entry.name), True, told))
    settings.logs.mkdir(parents=True, exist_ok=True)
    (settings.logs / FILE_NAME).write_text(
        json.dumps([asdict(following) for following in found], indent=2) + "\n", encoding="utf-8"
    )
    return found


def last_following(settings: Settings) -> list[Following]:
    """How the followers stood when they were last asked."""
    path = settings.logs / FILE_NAME
    if not path.exists():
        return []
    stated: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    current = journal.current_release(settings)
    return [Following(**{**entry, "is_behind": entry["release_id"] != current}) for entry in stated]


def _server(
    entry: PostgresEntry | ObjectsEntry | CsvEntry,
) -> Callable[[Path, frozenset[str]], str]:
    """What makes a follower serve a release, given its folder and the releases that are kept."""
    if isinstance(entry, PostgresEntry):
        from orchestration.followers.postgresql import serve_release

        return lambda folder, kept: serve_release(entry, folder, kept)
    if isinstance(entry, ObjectsEntry):
        from orchestration.followers.objects import store_release

        return lambda folder, kept: store_release(entry, folder, kept)
    from orchestration.followers.csv_files import write_release

    return lambda folder, kept: write_release(entry, folder)
