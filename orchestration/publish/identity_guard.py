"""Refusing to work with an id ledger that lost something which a kept release still holds.

The ledger only grows, so each file that a kept release states has to stand in it, byte for byte.
What a person gave up (a ledger made anew, a return to an older one) is named in
`identity/given_up` and is asked for no more.
"""

from __future__ import annotations

import contextlib
import os
from functools import lru_cache
from itertools import count
from pathlib import Path

from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.publish import files, manifest
from orchestration.publish.finding import release_folders
from orchestration.publish.identity_backup import LEDGER
from orchestration.settings import Settings

# A file of the ledger: its name and its SHA-256.
Stated = tuple[str, str]


def require_ledger(settings: Settings) -> None:
    """Refuse to go on without what a kept release holds of the id ledger.

    A run would fold the rest from the landings; after a decision, a replay, an erasure or a
    change of rules people would get other ids.

    Raises:
        JourneylineError: The ledger, or some of its files, are missing or changed, and nobody
            asked for another one (exit 2).
    """
    if _refolding(settings).exists():
        return
    if not _holds_ledger(ledger_folder(settings)):
        held = [folder for folder in release_folders(settings) if _holds_ledger(folder / LEDGER)]
        if held:
            raise _refusal(
                f"The id ledger is missing, and {len(held)} kept releases hold it; a ledger made "
                "anew may give people other ids.",
                ledger_folder(settings),
            )
        return
    lost = _lost(settings)
    if lost:
        missing = [name for name in lost if not (ledger_folder(settings) / name).exists()]
        raise _refusal(
            f"The id ledger is not whole: of the files that kept releases hold, {len(missing)} "
            f"are missing and {len(lost) - len(missing)} have other bytes; going on may give "
            "people other ids.",
            ledger_folder(settings) / lost[0],
        )


def allow_refold(settings: Settings) -> None:
    """Let the next run make a lost ledger anew, however often it is tried; needs the lock.

    What is left of it is moved aside first. A ledger that is whole stays.
    """
    folder = ledger_folder(settings)
    if _holds_ledger(folder) and not _refolding(settings).exists():
        if not _lost(settings):
            return
        aside = (folder.with_name(f"ledger.lost-{number}") for number in count(1))
        os.replace(folder, next(path for path in aside if not path.exists()))
        files.sync(settings.identity)
    settings.identity.mkdir(parents=True, exist_ok=True)
    _refolding(settings).touch()


def end_refold(settings: Settings) -> None:
    """The ledger stands, made anew: it is what is asked for from now on."""
    if _refolding(settings).exists():
        take_as_whole(settings)


def take_as_whole(settings: Settings) -> None:
    """From now on, ask only for those of the releases' files that the ledger holds today."""
    held = {(path.name, files.sha256_of(path)) for path in _files(ledger_folder(settings))}
    rest = sorted(_stated(settings) - held)
    if rest:
        lines = (f"{sha256}  {name}\n" for name, sha256 in rest)
        files.write_durably(_given_up_path(settings), "".join(lines))
    else:
        _given_up_path(settings).unlink(missing_ok=True)
    _refolding(settings).unlink(missing_ok=True)


def ledger_folder(settings: Settings) -> Path:
    """Where the home's ledger stands."""
    return settings.identity / "ledger"


def newest_backup(settings: Settings) -> Path | None:
    """The kept release with the most of what is asked for; the one named last among equals."""
    given_up = _given_up(settings)
    counts = {folder: len(stated_files(folder) - given_up) for folder in release_folders(settings)}
    held = [folder for folder, number in counts.items() if number]
    return max(held, key=lambda folder: (counts[folder], folder.name), default=None)


def stated_files(release: Path) -> set[Stated]:
    """The ledger's files as a release's manifest states them; none where it cannot be read."""
    content = {}
    with contextlib.suppress(JourneylineError):
        content = manifest.read_manifest(release).get("files", {})
    return {
        (Path(name).name, str(entry["sha256"]))
        for name, entry in content.items()
        if name.startswith(f"{LEDGER}/")
    }


def _lost(settings: Settings) -> list[str]:
    """Names of the ledger's files that are asked for and are missing or have other bytes."""
    folder = ledger_folder(settings)
    asked = _stated(settings) - _given_up(settings)
    return sorted({name for name, sha256 in asked if _hash(folder / name) != sha256})


def _stated(settings: Settings) -> set[Stated]:
    return {stated for folder in release_folders(settings) for stated in stated_files(folder)}


def _given_up(settings: Settings) -> set[Stated]:
    path = _given_up_path(settings)
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {(name, sha256) for sha256, name in (line.split("  ", 1) for line in lines)}


def _given_up_path(settings: Settings) -> Path:
    return settings.identity / "given_up"


def _refolding(settings: Settings) -> Path:
    return settings.identity / "refolding"


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.parquet"))


def _holds_ledger(folder: Path) -> bool:
    return bool(_files(folder))


def _hash(path: Path) -> str | None:
    """A file's SHA-256; every step of a run asks, so one that was not touched is read once."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return _hash_as_of(path, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


@lru_cache(maxsize=100_000)
def _hash_as_of(path: Path, _inode: int, _size: int, _changed: int, _touched: int) -> str:
    return files.sha256_of(path)


def _refusal(message: str, where: Path) -> JourneylineError:
    return JourneylineError(
        message,
        str(where),
        "`journeyline identity restore` puts it back; `journeyline run --refold-identity` "
        "makes it anew from the landings.",
        EXIT_USAGE,
    )
