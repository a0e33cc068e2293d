"""Gathering: which files a person or a job means by names, folders and patterns.

A file that somebody is still writing is left alone; the next call finds it finished.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from orchestration.ingest.landing import suffix_of

SETTLED_AFTER_SECONDS = 10.0
_UNFINISHED = (".tmp", ".temp", ".part", ".partial", ".crdownload", ".filepart", ".swp", "~")
_SIDECARS = (".sha256", ".rows")
_WRITES = os.O_WRONLY | os.O_RDWR


@dataclass
class Gathered:
    """The files that were meant.

    Args:
        files: Files to land, in the order of the names given, a folder's by name.
        left_alone: Other files with the reason why each is left alone.
    """

    files: list[Path] = field(default_factory=list)
    left_alone: list[tuple[Path, str]] = field(default_factory=list)


def gather_files(
    names: Iterable[str], now: float, settled_after: float = SETTLED_AFTER_SECONDS
) -> Gathered:
    """The files behind names, folders (with what is in them) and patterns such as `in/*.csv`.

    Args:
        names: Files, folders or patterns; a name that is nothing of it is kept as a file.
        now: The clock's time in seconds, to judge how long ago a file was changed.
        settled_after: Seconds for which a file in a folder or behind a pattern must have rested.
    """
    found = Gathered()
    written = _open_for_writing()
    for name in names:
        path = Path(name)
        if path.is_dir():
            candidates, is_named = sorted(p for p in path.rglob("*") if p.is_file()), False
        elif path.exists() or not glob.has_magic(name):
            candidates, is_named = [path], True
        else:
            matched = (Path(hit) for hit in sorted(glob.glob(name, recursive=True)))
            candidates, is_named = [p for p in matched if p.is_file()], False
        for file in candidates:
            if file in found.files or (not is_named and file.name.endswith(_SIDECARS)):
                continue
            reason = _why_not(file, written)
            if reason is None and not is_named:
                reason = _why_not_yet(file, now, settled_after)
            if reason is None:
                found.files.append(file)
            else:
                found.left_alone.append((file, reason))
    return found


def _why_not(file: Path, written: set[tuple[int, int]]) -> str | None:
    if file.name.lower().endswith(_UNFINISHED):
        return "its name says that it is not finished"
    if file.exists():
        status = file.stat()
        if (status.st_dev, status.st_ino) in written:
            return "a process has it open for writing"
    return None


def _why_not_yet(file: Path, now: float, settled_after: float) -> str | None:
    if file.name.startswith("."):
        return "its name says that it is hidden"
    if not suffix_of(file):
        return "its format is not known by its name"
    if now - file.stat().st_mtime < settled_after:
        return f"it was changed less than {settled_after:g} seconds ago"
    return None


def _open_for_writing() -> set[tuple[int, int]]:
    """Device and inode of files that a process writes, as far as the system shows them."""
    return set(_written_files(Path("/proc"), os.getpid()))


def _written_files(processes: Path, own: int) -> Iterator[tuple[int, int]]:
    for folder in processes.glob("[0-9]*/fd"):
        if folder.parent.name == str(own):
            continue
        try:
            for handle in folder.iterdir():
                flags = (folder.parent / "fdinfo" / handle.name).read_text().split("flags:")[1]
                if int(flags.split()[0], 8) & _WRITES:
                    status = handle.stat()
                    yield status.st_dev, status.st_ino
        except (OSError, IndexError, ValueError):
            # The process ended, or is another user's.
            continue
