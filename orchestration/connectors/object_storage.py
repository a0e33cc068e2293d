"""Object storage through fsspec: files of a path pattern are landed as they lie there, each once.

A file is known by its path and version; one that changes is taken again. The rows in it are the
loader's business.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from orchestration.connectors.entries import StorageEntry, StoredTable
from orchestration.connectors.feeds import Page, Position
from orchestration.connectors.storages import access, missing_library
from orchestration.errors import JourneylineError
from orchestration.ingest.contracts import Contract

# What the storages call the version of an object; where none says, size and time have to do.
_VERSIONS = ("ETag", "etag", "md5Hash", "content_md5", "generation")
_TIMES = ("LastModified", "last_modified", "updated", "mtime")


class StorageFeed:
    """The files of one table in a bucket."""

    def __init__(
        self, entry: StorageEntry, contract: Contract, table: StoredTable, folder: Path
    ) -> None:
        self._entry = entry
        self._contract = contract
        self._table = table
        self._files = folder / "fetching" / "files"

    def begin(self, cursor: Mapping[str, Any] | None, started_at: datetime) -> dict[str, Any]:
        """The files that were not taken yet, in the order of their paths."""
        taken = dict((cursor or {}).get("taken", {}))
        minutes = self._table.settle_minutes
        settled = started_at - timedelta(minutes=minutes) if minutes else None
        wanted = [
            [path, version]
            for path, version, changed_at in self._listed()
            if taken.get(path) != version
            and (settled is None or changed_at is None or changed_at <= settled)
        ]
        return {"taken": taken, "wanted": wanted}

    def finish(self, plan: Mapping[str, Any]) -> dict[str, Any]:
        """Every file that was taken, with its version."""
        return {"taken": {**plan["taken"], **{path: version for path, version in plan["wanted"]}}}

    def check(self) -> str:
        """List the files."""
        count = len(self._listed())
        return f"answers; {count} file(s) match" if count else "answers; no file matches yet"

    def pages(self, plan: Mapping[str, Any], position: Position | None) -> Iterator[Page]:
        """A file a page; one that changed since it was listed is left for the next fetch."""
        wanted = plan["wanted"]
        for number in range(position["next"] if position else 0, len(wanted)):
            path, version = wanted[number]
            yield Page([], {"next": number + 1}, file=self._downloaded(path, version))
        yield Page([], None)

    def _downloaded(self, path: str, version: str) -> Path | None:
        self._files.mkdir(parents=True, exist_ok=True)
        target = self._files / posixpath.basename(path)
        with self._asking() as storage:
            try:
                storage.get_file(path, str(target))
                is_same = _version(storage.info(path)) == version
            except FileNotFoundError:
                is_same = False
        if is_same:
            return target
        target.unlink(missing_ok=True)
        return None

    def _listed(self) -> list[tuple[str, str, datetime | None]]:
        with self._asking() as storage:
            found: dict[str, Any] = storage.glob(self._table.path, detail=True)
        return [
            (path, _version(info), _changed_at(info))
            for path, info in sorted(found.items())
            if info.get("type") == "file"
        ]

    @contextmanager
    def _asking(self) -> Iterator[Any]:
        """The storage.

        Raises:
            JourneylineError: It cannot be reached, does not let us in, or its library is missing.
        """
        import fsspec

        entry = self._entry
        with_access = access(entry.protocol, entry.options, entry.options_from)
        try:
            yield fsspec.filesystem(entry.protocol, **with_access.options)
        except ImportError as error:
            raise missing_library(entry.protocol, self._contract.label) from error
        # Each storage's library has errors of its own; none is a defect of ours.
        except Exception as error:
            said = str(error).splitlines()[0] if str(error) else type(error).__name__
            said = with_access.hidden(said)[:300]
            raise JourneylineError(
                f"The storage cannot be read: {said}",
                f"{self._entry.protocol}://{self._table.path}",
                "Look whether path, options and the environment variables of the entry are right.",
            ) from None


def _version(info: Mapping[str, Any]) -> str:
    known = next((str(info[name]).strip('"') for name in _VERSIONS if info.get(name)), None)
    return known or f"{info.get('size')}-{_changed_at(info)}"


def _changed_at(info: Mapping[str, Any]) -> datetime | None:
    found = next((info[name] for name in _TIMES if info.get(name)), None)
    if isinstance(found, int | float):
        return datetime.fromtimestamp(found, UTC)
    if isinstance(found, str):
        found = datetime.fromisoformat(found.replace("Z", "+00:00"))
    return found if isinstance(found, datetime) else None
