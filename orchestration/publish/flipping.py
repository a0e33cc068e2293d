"""The one step that readers see, and clearing what a dead run left before it.

Belongs here: flipping `current`, and deciding which folders under `releases/` were ever served.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime

from orchestration.publish import files, journal, manifest
from orchestration.settings import Settings

STAGING = ".staging"


def recover(settings: Settings, now: Callable[[], datetime]) -> None:
    """Clear what a dead run left: its staging, an act without a flip, a release never served."""
    if not settings.releases.is_dir():
        settings.releases.mkdir(parents=True)
        files.sync(settings.home)
    files.remove_tree(settings.releases / STAGING)
    act = journal.unfinished_act(settings)
    if act is not None:
        journal.append_act(
            settings,
            {
                "act": journal.ABANDONED,
                "at": manifest.instant(now()),
                "release_id": act["release_id"],
                "abandoned_act": act["act"],
            },
        )
    served = served_ids(settings)
    for folder in settings.releases.iterdir():
        if folder.is_dir() and folder.name not in served:
            files.remove_tree(folder)


def flip(settings: Settings, release_id: str) -> None:
    """Let `current` point to a release: the only step that a reader can see."""
    temporary = settings.home / "current.tmp"
    temporary.unlink(missing_ok=True)
    os.symlink(f"{settings.releases.name}/{release_id}", temporary)
    os.replace(temporary, settings.current)
    files.sync(settings.home)


def served_ids(settings: Settings) -> set[str]:
    """Ids of the releases that were served at some time."""
    served = {journal.current_release(settings) or ""}
    acts = journal.read_acts(settings)
    for act, following in zip(acts, [*acts[1:], {"act": ""}], strict=False):
        if act["act"] == journal.PUBLISH and following["act"] != journal.ABANDONED:
            served.add(act["release_id"])
    return served
