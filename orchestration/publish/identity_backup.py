"""The id ledger and the tombstones, backed up with each release.

Belongs here: putting them into a candidate. A ledger file is written once and never again, so a
release links it; which id is whose is `unify.ledger`'s business, putting them back is
`identity_restore`'s. Records stand in it as hashes under the ledger key, which is in no release.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from orchestration.privacy.handles import tombstones_path
from orchestration.publish import files
from orchestration.settings import Settings

FOLDER = "identity"
LEDGER = f"{FOLDER}/ledger"
TOMBSTONES = f"{FOLDER}/tombstones.ndjson"


def back_up(settings: Settings, release: Path) -> dict[str, str]:
    """Put the ledger and the tombstones, as far as there are any, into a release's folder.

    Args:
        settings: The home folder.
        release: Folder of the candidate.

    Returns:
        SHA-256 of each file that was put there, by its path in the release.
    """
    put: dict[str, str] = {}
    for source in sorted((settings.identity / "ledger").glob("*.parquet")):
        put |= _put(source, release, f"{LEDGER}/{source.name}", linked=True)
    if tombstones_path(settings).exists():
        put |= _put(tombstones_path(settings), release, TOMBSTONES, linked=False)
    if put:
        files.sync_tree(release / FOLDER)
    return put


def back_up_tombstones(settings: Settings, release: Path) -> None:
    """Give the twin of a release today's tombstones: the erasure that made it is in them."""
    (release / TOMBSTONES).unlink(missing_ok=True)
    if tombstones_path(settings).exists():
        _put(tombstones_path(settings), release, TOMBSTONES, linked=False)


def _put(source: Path, release: Path, name: str, *, linked: bool) -> dict[str, str]:
    target = release / name
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if not linked:
            raise OSError
        os.link(source, target)
    except OSError:  # another file system, or a file that still grows
        shutil.copyfile(source, target)
    return {name: files.sha256_of(target)}
