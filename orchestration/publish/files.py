"""What the publisher asks of the file system: durable, immutable, removable."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

FILE_MODE = 0o444
FOLDER_MODE = 0o555


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Make a file's bytes, or a folder's entries, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Make everything under a folder survive a power cut, leaves first."""
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            sync(Path(parent) / name)
        sync(Path(parent))


def write_durably(path: Path, content: str) -> None:
    """Write a file beside its place, make it durable, then move it there."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    sync(path.parent)


def make_immutable(folder: Path) -> None:
    """Take the write permission from everything below a folder, not from the folder itself.

    The folder keeps it until it was renamed: moving a folder rewrites its `..`, which takes write
    permission on it.
    """
    for parent, folders, names in os.walk(folder):
        for name in names:
            os.chmod(Path(parent) / name, FILE_MODE)
        for name in folders:
            os.chmod(Path(parent) / name, FOLDER_MODE)


def remove_tree(folder: Path) -> None:
    """Remove a folder, immutable or not; hard links of its files elsewhere keep their modes."""
    if not folder.is_dir():
        return
    for parent, _, _ in os.walk(folder):
        os.chmod(parent, 0o755)
    for parent, folders, names in os.walk(folder, topdown=False):
        for name in names:
            (Path(parent) / name).unlink()
        for name in folders:
            path = Path(parent) / name
            if path.is_symlink():
                path.unlink()
            else:
                path.rmdir()
    folder.rmdir()


def files_under(folder: Path) -> list[str]:
    """Paths of the files under a folder, relative to it, sorted."""
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )
