"""The journal of acts on releases, and what follows from it.

Belongs here: appending to `releases/journal.ndjson` and reading it. An act is written before the
flip that carries it out; an act whose flip never came is answered by a line `abandoned`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.act_lines import append_lines, complete_lines
from orchestration.settings import Settings

PUBLISH = "publish"
ROLL_BACK = "roll_back"
RELOCATE = "relocate"
ERASE = "erase"
PIN = "pin"
UNPIN = "unpin"
COLLECT = "collect"
ABANDONED = "abandoned"
# Acts that give kept releases twins.
REPLACEMENTS = (RELOCATE, ERASE)
# Acts that end in a flip of `current` to their `release_id`.
FLIPS = (PUBLISH, ROLL_BACK, RELOCATE, ERASE)


@dataclass(frozen=True)
class Standing:
    """Where the releases stand after all acts.

    Args:
        current: Release id that `current` points to; None before the first one.
        rollback: The last act, if it was a rollback.
        left_behind: Content hash to release id of what rollbacks since the last publication left.
    """

    current: str | None
    rollback: Mapping[str, Any] | None
    left_behind: Mapping[str, str]

    @property
    def is_held(self) -> bool:
        """Whether the last rollback asked that nothing follows it."""
        return self.rollback is not None and bool(self.rollback.get("hold"))


def journal_path(settings: Settings) -> Path:
    """Where the journal stands."""
    return settings.releases / "journal.ndjson"


def append_act(settings: Settings, act: Mapping[str, Any]) -> None:
    """Add one line, durably; a line that a dead writer left half written is cut off first."""
    path = journal_path(settings)
    line = (json.dumps(act, sort_keys=True, ensure_ascii=False) + "\n").encode()
    append_lines(path, line)


def read_acts(settings: Settings) -> list[dict[str, Any]]:
    """Every act, oldest first; a half-written last line is no act."""
    return [json.loads(line) for line in complete_lines(journal_path(settings)) if line.strip()]


def current_release(settings: Settings) -> str | None:
    """The release id that `current` points to."""
    if not settings.current.is_symlink():
        return None
    return Path(os.readlink(settings.current)).name


def standing(settings: Settings) -> Standing:
    """Where the releases stand after all acts that were carried out."""
    rollback: dict[str, Any] | None = None
    left_behind: dict[str, str] = {}
    for act in carried_out(settings):
        if act["act"] == PUBLISH:
            rollback, left_behind = None, {}
        elif act["act"] == ROLL_BACK:
            rollback = act
            left_behind[act["left_content_hash"]] = act["left_release_id"]
            left_behind.pop(act["content_hash"], None)
    return Standing(current_release(settings), rollback, left_behind)


def unfinished_act(settings: Settings) -> dict[str, Any] | None:
    """The last act, if `current` shows that its flip never came."""
    acts = read_acts(settings)
    if not acts or acts[-1]["act"] not in FLIPS:
        return None
    return acts[-1] if acts[-1]["release_id"] != current_release(settings) else None


def pins(settings: Settings) -> dict[str, dict[str, Any]]:
    """The act that pinned each release that is still pinned; a redacted twin inherits its pin."""
    pinned: dict[str, dict[str, Any]] = {}
    for act in carried_out(settings):
        if act["act"] == PIN:
            pinned[act["release_id"]] = act
        elif act["act"] == UNPIN:
            pinned.pop(act["release_id"], None)
        elif act["act"] in REPLACEMENTS:
            for old, twin in act["replaced"].items():
                if old in pinned:
                    pinned[twin] = pinned.pop(old)
    return pinned


def manifest_hash(settings: Settings, release_id: str) -> str | None:
    """SHA-256 of the manifest that a release was published with; None for a twin."""
    for act in carried_out(settings):
        if act["act"] == PUBLISH and act["release_id"] == release_id:
            stated = act.get("manifest_sha256")
            return None if stated is None else str(stated)
    return None


def carried_out(settings: Settings) -> list[dict[str, Any]]:
    """Every act that was carried out, oldest first: those whose flip never came are left out."""
    return _carried_out(read_acts(settings), current_release(settings))


def _carried_out(acts: list[dict[str, Any]], current: str | None) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = []
    for act in acts:
        if act["act"] == ABANDONED:
            kept.pop()
        else:
            kept.append(act)
    if kept and kept[-1]["act"] in FLIPS and kept[-1]["release_id"] != current:
        kept.pop()
    return kept
