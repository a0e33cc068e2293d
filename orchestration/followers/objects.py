"""A release in an object storage: its files first, the pointer last.

An object storage has no rename, so `current.json` names the release, and a reader reads it once a
session. Files have the release's id in their path and are never written again.
"""

from __future__ import annotations

import json
import posixpath
from pathlib import Path
from typing import Any

from orchestration.connectors.storages import access, missing_library
from orchestration.followers.entries import ObjectsEntry
from orchestration.publish import manifest

POINTER = "current.json"


def store_release(entry: ObjectsEntry, folder: Path, kept: frozenset[str]) -> str:
    """Put a release into the storage and point to it; gives the release's id.

    Args:
        entry: The follower.
        folder: The release.
        kept: Releases that the home keeps; others leave the storage.
    """
    import fsspec

    protocol = entry.url.partition("://")[0]
    with_access = access(protocol, entry.options, entry.options_from)
    try:
        storage, root = fsspec.core.url_to_fs(entry.url, **with_access.options)
        _store(storage, root, entry, folder, kept)
    except ImportError as error:
        raise missing_library(protocol, entry.name) from error
    except Exception as error:
        # Each storage's library has errors of its own, and some tell what they were asked with.
        raise OSError(with_access.hidden(str(error) or type(error).__name__)) from None
    return folder.name


def _store(
    storage: Any, root: str, entry: ObjectsEntry, folder: Path, kept: frozenset[str]
) -> None:
    stated = manifest.read_manifest(folder)["files"]
    place = posixpath.join(root, "releases", folder.name)
    if _pointed(storage, root) != folder.name:
        for name, said in stated.items():
            _put(storage, folder / name, posixpath.join(place, name), said["bytes"])
        size = (folder / manifest.FILE_NAME).stat().st_size
        path = posixpath.join(place, manifest.FILE_NAME)
        _put(storage, folder / manifest.FILE_NAME, path, size)
        pointer = {"release_id": folder.name, "path": f"releases/{folder.name}"}
        storage.pipe_file(posixpath.join(root, POINTER), json.dumps(pointer).encode())
    _remove_others(storage, posixpath.join(root, "releases"), folder.name, kept, entry.keep)


def _put(storage: Any, source: Path, target: str, size: int) -> None:
    """Put a file that is not there yet; what a dead attempt left in full is not sent again."""
    if storage.exists(target) and storage.size(target) == size:
        return
    storage.makedirs(posixpath.dirname(target), exist_ok=True)
    storage.put_file(str(source), target)
    if storage.size(target) != size:
        raise OSError(f"{target} did not arrive whole")


def _pointed(storage: Any, root: str) -> str | None:
    try:
        said = json.loads(storage.cat_file(posixpath.join(root, POINTER)))
    except FileNotFoundError:
        return None
    return str(said["release_id"])


def _remove_others(storage: Any, place: str, current: str, kept: frozenset[str], keep: int) -> None:
    names = sorted(posixpath.basename(path.rstrip("/")) for path in storage.ls(place, detail=False))
    newest = [name for name in names if name in kept and name != current][-(keep - 1) :]
    stay = {current, *(newest if keep > 1 else [])}
    for name in names:
        if name not in stay:
            storage.rm(posixpath.join(place, name), recursive=True)
