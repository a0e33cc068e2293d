"""Files of acts, one JSON line each, that are only ever added to and survive a power cut."""

from __future__ import annotations

import os
from pathlib import Path


def append_lines(path: Path, lines: bytes) -> None:
    """Add whole lines, durably; a line that a dead writer left half written is cut off first.

    Args:
        path: The file; it is made where it is missing, its folder is there.
        lines: One or more lines, each with its line break.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    with os.fdopen(descriptor, "r+b") as file:
        content = file.read()
        file.seek(content.rfind(b"\n") + 1)
        file.truncate()
        file.write(lines)
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def complete_lines(path: Path) -> list[bytes]:
    """Every whole line, oldest first; a half-written last one is none. Empty without the file."""
    if not path.exists():
        return []
    content = path.read_bytes()
    return content[: content.rfind(b"\n") + 1].splitlines()
