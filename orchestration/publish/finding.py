"""Finding a kept release by its name.

Belongs here: which folders under `releases/` are releases, and what is said where there is none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.publish import journal, manifest
from orchestration.settings import Settings

CURRENT = "current"


def release_folders(settings: Settings) -> list[Path]:
    """Folders of the kept releases, in no order."""
    if not settings.releases.is_dir():
        return []
    return [
        folder
        for folder in settings.releases.iterdir()
        if folder.is_dir() and not folder.is_symlink() and not folder.name.startswith(".")
    ]


def find_release(settings: Settings, release_id: str) -> Path:
    """The folder of a release; `current` is a name too.

    Raises:
        JourneylineError: There is no such release (exit 2).
    """
    name = journal.current_release(settings) if release_id == CURRENT else release_id
    for folder in release_folders(settings):
        if folder.name == name:
            return folder
    if release_id == CURRENT:
        raise JourneylineError(
            "No release was published yet.",
            str(settings.current),
            "Run `journeyline run`.",
            EXIT_USAGE,
        )
    raise JourneylineError(
        f"There is no release {release_id}.",
        str(settings.releases),
        "`journeyline releases list` shows which there are.",
        EXIT_USAGE,
    )


def release_before(settings: Settings, content: dict[str, Any]) -> Path | None:
    """The kept release that was served before one; the newest older one where that is gone.

    Args:
        settings: The home folder.
        content: The manifest of the release.
    """
    folders = {folder.name: folder for folder in release_folders(settings)}
    previous = content["previous_release_id"]
    if previous in folders:
        return folders[previous]
    made = {name: manifest.read_manifest(folder) for name, folder in folders.items()}
    older = [
        (other["created_at"], other["as_of"], name)
        for name, other in made.items()
        if (other["created_at"], other["as_of"]) < (content["created_at"], content["as_of"])
    ]
    return folders[max(older)[2]] if older and previous is not None else None
