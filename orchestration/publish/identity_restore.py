"""Putting the id ledger and the tombstones back from a release's backup (`identity_backup`).

Belongs here, too: refusing to work without a ledger that a release still holds.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.privacy.handles import tombstones_path
from orchestration.publish import files, manifest
from orchestration.publish.finding import CURRENT, find_release, release_folders
from orchestration.publish.identity_backup import LEDGER, TOMBSTONES
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


def require_ledger(settings: Settings) -> None:
    """Refuse to go on without the id ledger where a kept release holds it.

    A run would fold another one from the landings; after a decision, a replay, an erasure or a
    change of rules people would get other ids.

    Raises:
        JourneylineError: The ledger is missing, and nobody asked for another one (exit 2).
    """
    if _holds_ledger(settings.identity / "ledger") or _refolding(settings).exists():
        return
    held = sorted(
        folder.name for folder in release_folders(settings) if _holds_ledger(folder / LEDGER)
    )
    if held:
        raise JourneylineError(
            f"The id ledger is missing, and {len(held)} kept releases hold it; a ledger made anew "
            "may give people other ids.",
            str(settings.identity / "ledger"),
            "`journeyline identity restore` puts it back; `journeyline run --refold-identity` "
            "makes it anew from the landings.",
            EXIT_USAGE,
        )


def allow_refold(settings: Settings) -> None:
    """Let the next run make the ledger anew, however often it has to be tried; needs the lock."""
    settings.identity.mkdir(parents=True, exist_ok=True)
    _refolding(settings).touch()


def end_refold(settings: Settings) -> None:
    """The ledger stands: from now on a lost one is refused again."""
    _refolding(settings).unlink(missing_ok=True)


def _refolding(settings: Settings) -> Path:
    return settings.identity / "refolding"


def _holds_ledger(folder: Path) -> bool:
    return any(folder.glob("*.parquet"))


def restore(settings: Settings, release_id: str | None = None) -> RestoreReport:
    """Put the ledger back as it was when a release was published. Needs the writer lock.

    Tombstones are only ever added: those of every kept release, and those that are there.

    Args:
        settings: The home folder.
        release_id: The release; None means the current one.

    Raises:
        JourneylineError: The release holds no ledger, its files are not what was published, or
            the home's ledger knows acts that the release does not.
    """
    release = find_release(settings, release_id or CURRENT)
    stated = {
        Path(name).name: str(entry["sha256"])
        for name, entry in manifest.read_manifest(release)["files"].items()
        if name.startswith(f"{LEDGER}/")
    }
    _require_whole(release, stated)
    folder = settings.identity / "ledger"
    _require_nothing_newer(folder, release, stated)
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


def _require_nothing_newer(folder: Path, release: Path, stated: dict[str, str]) -> None:
    newer = sorted(path.name for path in folder.glob("*.parquet") if path.name not in stated)
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
