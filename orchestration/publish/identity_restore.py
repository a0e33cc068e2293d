"""Putting the id ledger and the tombstones back from a release's backup (`identity_backup`).

What a run refuses to go on without is `identity_guard`'s business.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.privacy.handles import tombstones_path
from orchestration.publish import files
from orchestration.publish.finding import CURRENT, find_release, release_folders
from orchestration.publish.identity_backup import LEDGER, TOMBSTONES
from orchestration.publish.identity_guard import (
    ledger_folder,
    newest_backup,
    stated_files,
    take_as_whole,
)
from orchestration.settings import Settings


@dataclass(frozen=True)
class RestoreReport:
    """What was put back.

    Args:
        release_id: The release it came from.
        ledger_files: Files of the ledger, one an instant.
        restored_files: Those of them that were missing or damaged.
        tombstones: Erasures that are known now.
    """

    release_id: str
    ledger_files: int
    restored_files: int
    tombstones: int


def restore(settings: Settings, release_id: str | None = None) -> RestoreReport:
    """Put the ledger back as it was when a release was published. Needs the writer lock.

    Tombstones are only ever added: those of every kept release, and those that are there. What
    newer releases hold of the ledger is given up where an older one is named.

    Args:
        settings: The home folder.
        release_id: The release; None means the one with the newest ledger.

    Raises:
        JourneylineError: The release holds no ledger, its files are not what was published, or
            the home's ledger knows acts that the release does not.
    """
    newest = newest_backup(settings)
    release = newest if newest and not release_id else find_release(settings, release_id or CURRENT)
    stated = dict(sorted(stated_files(release)))
    _require_whole(release, stated)
    folder = ledger_folder(settings)
    _require_nothing_newer(folder, release, stated, may_follow=release == newest)
    folder.mkdir(parents=True, exist_ok=True)
    restored = 0
    for name, sha256 in stated.items():
        target = folder / name
        if not target.exists() or files.sha256_of(target) != sha256:
            temporary = target.with_suffix(".tmp")
            shutil.copyfile(release / LEDGER / name, temporary)
            files.sync(temporary)
            os.replace(temporary, target)
            restored += 1
    files.sync(folder)
    take_as_whole(settings)
    return RestoreReport(release.name, len(stated), restored, _restore_tombstones(settings))


def _require_whole(release: Path, stated: dict[str, str]) -> None:
    if not stated:
        raise JourneylineError(
            f"Release {release.name} holds no id ledger.",
            str(release / LEDGER),
            "Name a release that does; `journeyline releases list` lists those that are kept.",
            EXIT_USAGE,
        )
    for name, sha256 in stated.items():
        path = release / LEDGER / name
        if not path.exists() or files.sha256_of(path) != sha256:
            raise JourneylineError(
                f"The id ledger of release {release.name} is not what was published.",
                str(path),
                "Restore from another release that `journeyline releases verify` accepts.",
            )


def _require_nothing_newer(
    folder: Path, release: Path, stated: dict[str, str], *, may_follow: bool
) -> None:
    """Refuse where the home knows other instants; later ones may follow the newest backup."""
    last = max(stated)
    newer = sorted(
        path.name
        for path in folder.glob("*.parquet")
        if path.name not in stated and not (may_follow and path.name > last)
    )
    if newer:
        raise JourneylineError(
            f"The id ledger knows {len(newer)} instants that release {release.name} does not; "
            "going back would take ids away.",
            str(folder / newer[0]),
            "Restore from a newer release, or move these files away first.",
        )


def _restore_tombstones(settings: Settings) -> int:
    """Each line of the home's file and of the releases', once; a line is one erasure."""
    path = tombstones_path(settings)
    kept = [path, *(folder / TOMBSTONES for folder in release_folders(settings))]
    lines: dict[str, None] = {}
    for source in kept:
        if source.exists():
            text = source.read_text(encoding="utf-8")
            lines |= dict.fromkeys(text[: text.rfind("\n") + 1].splitlines())
    if lines:
        files.write_durably(path, "".join(f"{line}\n" for line in lines))
        os.chmod(path, 0o600)
    return len(lines)
