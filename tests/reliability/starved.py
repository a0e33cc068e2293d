"""A publisher without room, or without permission, as a process of its own.

Usage: python starved.py WAY HOME PROJECT; prints what happened as JSON.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from orchestration.errors import JourneylineError
from orchestration.publish.publisher import publish
from orchestration.publish.releases import verify_release
from orchestration.settings import Settings

NOBODY = 65534
_LEFT_BYTES = 60_000
_FILE_BYTES = 40_000


def full_disk(settings: Settings) -> Callable[[], None]:
    """Fill the file system; gives what makes room again."""
    filler = settings.home / "filler"
    space = os.statvfs(settings.home)
    size = space.f_bavail * space.f_frsize - _LEFT_BYTES
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)
    return filler.unlink


def small_files(settings: Settings) -> Callable[[], None]:
    """Let no file grow; gives what lifts the limit."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_BYTES, before[1]))
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, before)


def read_only(settings: Settings) -> Callable[[], None]:
    """Become somebody who may only read; gives what becomes the owner again."""
    os.seteuid(NOBODY)
    return lambda: os.seteuid(0)


WAYS = {way.__name__: way for way in (full_disk, small_files, read_only)}


def main(way: str, home: Path, project: Path) -> None:
    """Publish without, then with what it takes."""
    settings = Settings(home=home, repo_root=project)
    before = settings.current.resolve().name
    recover = WAYS[way](settings)
    told = None
    try:
        publish(settings, "starved")
    except JourneylineError as error:
        told = str(error)
    is_served = verify_release(settings).release_id == before
    recover()
    report = publish(settings, "fed")
    verify_release(settings)
    print(
        json.dumps(
            {
                "told": told,
                "is_served": is_served,
                "published": report.published,
                "left": sorted(p.name for p in settings.releases.glob(".*")),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
