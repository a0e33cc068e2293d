"""The one step that readers see, and clearing what a dead run left before it.

Belongs here: flipping `current`, and deciding which folders under `releases/` were ever served.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import datetime

from orchestration.publish import files, journal, manifest
from orchestration.settings import Settings

STAGING = ".staging"
_NUMBER = re.compile(r"(?<=-[0-9a-f]{12})-\d+$")


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
        if folder.is_symlink():
            folder.unlink()
        elif folder.is_dir() and folder.name not in served:
            files.remove_tree(folder)


def flip(settings: Settings, release_id: str) -> None:
    """Let `current` point to a release: the only step that a reader can see."""
    temporary = settings.home / "current.tmp"
    temporary.unlink(missing_ok=True)
    os.symlink(f"{settings.releases.name}/{release_id}", temporary)
    os.replace(temporary, settings.current)
    files.sync(settings.home)


def served_ids(settings: Settings) -> set[str]:
    """Ids of the releases that were served at some time and are kept."""
    served: set[str] = set()
    for act in journal.carried_out(settings):
        if act["act"] == journal.PUBLISH:
            served.add(act["release_id"])
        elif act["act"] in journal.REPLACEMENTS:
            served -= set(act["replaced"])
            served |= set(act["replaced"].values())
        elif act["act"] == journal.COLLECT:
            served -= set(act["release_ids"])
    return served | {journal.current_release(settings) or ""}


def free_id(name: str, taken: set[str]) -> str:
    """The first of `name`, `name-2`, `name-3` … that is not taken.

    Args:
        name: A release id, perhaps with a number already.
        taken: Ids that were given.
    """
    stem = _NUMBER.sub("", name)
    numbered = (f"{stem}-{number}" for number in range(2, len(taken) + 3))
    return stem if stem not in taken else next(n for n in numbered if n not in taken)


def used_ids(settings: Settings) -> set[str]:
    """Every release id that was ever given, so that none is given twice."""
    used = {journal.current_release(settings) or ""}
    for act in journal.read_acts(settings):
        if act["act"] == journal.PUBLISH:
            used.add(act["release_id"])
        elif act["act"] in journal.REPLACEMENTS:
            used |= set(act["replaced"].values())
    for act in journal.read_acts(settings):
        if act["act"] == journal.ABANDONED:
            used.discard(act["release_id"])
    return used | served_ids(settings)
