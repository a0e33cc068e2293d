"""What a fetch keeps on disk: its cursor for good, its pages only until they are landed.

Everything lies under `connectors/<source>/<entity>/` of the home:

    cursor.json             where the next fetch begins; no row of the source
    fetching/plan.json      the plan of the fetch under way
    fetching/records.ndjson records as they were answered
    fetching/pages.ndjson   one line per page that is safe: where it ends, where to go on
    fetching/files/         files of object storage on their way

`fetching/` is deleted once its records are landed and the cursor has moved.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from orchestration.connectors.feeds import Page, Position
from orchestration.errors import JourneylineError
from orchestration.settings import Settings

# Repeated records are looked for among so many that came before; the loader finds the rest.
_REMEMBERED = 200_000
_DONE = ".fetched"


def table_folder(settings: Settings, source: str, entity: str) -> Path:
    """The folder of one table's fetch, readable by its owner only."""
    folder = settings.connectors / source / entity
    folder.mkdir(parents=True, exist_ok=True)
    settings.connectors.chmod(0o700)
    return folder


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the lock of one table's fetch; the kernel frees it when the process dies.

    Raises:
        JourneylineError: Another process fetches the table.
    """
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise JourneylineError(
                "Another process is fetching this table.",
                where=str(folder),
                next_step="Wait for it to end.",
            ) from None
        yield
    finally:
        os.close(descriptor)


def read_cursor(folder: Path) -> dict[str, Any] | None:
    """The cursor that the last landed fetch left; None before the first.

    Raises:
        JourneylineError: The file is broken.
    """
    path = folder / "cursor.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise JourneylineError(
            "The cursor of this table cannot be read.",
            where=str(path),
            next_step="Delete the file; the next fetch then takes everything again, and rows "
            "known already are counted as duplicates.",
        )
    return found


def write_cursor(folder: Path, cursor: Mapping[str, Any]) -> None:
    """Replace the cursor, all of it or nothing."""
    write_whole(folder / "cursor.json", json.dumps(cursor, indent=2) + "\n")


def write_whole(path: Path, text: str) -> None:
    """Replace a small file, all of it or nothing, and have it on disk."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.rename(temporary, path)
    _sync(path.parent)


def forget_rows(settings: Settings) -> list[str]:
    """Delete the rows of every fetch under way; cursors stay, so the next fetch asks again.

    An erasure calls it: these are the only rows of persons outside landing that connectors hold.

    Returns:
        `source/entity` of the fetches.

    Raises:
        JourneylineError: A table is being fetched at this moment.
    """
    forgotten = set()
    for name in ("fetching", _DONE):
        for kept in sorted(settings.connectors.glob(f"*/*/{name}")):
            with alone(kept.parent):
                shutil.rmtree(kept, ignore_errors=True)
            forgotten.add("/".join(kept.parts[-3:-1]))
    return sorted(forgotten)


class Endless(JourneylineError):
    """The source's pages have no end; what came of them is not worth keeping."""


class Kept:
    """A fetch under way: its plan, the pages that are safe on disk, the place to go on from."""

    def __init__(self, folder: Path, plan: dict[str, Any]) -> None:
        self.folder = folder
        self.plan = plan
        self.position: Position | None = None
        self.is_complete = False
        self.pages = 0
        self.records = 0
        self._bytes = 0
        self._recent: OrderedDict[int, None] = OrderedDict()
        self._positions: set[str] = set()
        self._read_pages()

    @classmethod
    def resume(cls, folder: Path, fingerprint: str) -> Kept | None:
        """The fetch that was cut off; None where there is none or its configuration changed."""
        shutil.rmtree(folder / _DONE, ignore_errors=True)
        kept = folder / "fetching"
        try:
            found = json.loads((kept / "plan.json").read_text(encoding="utf-8"))
            if found["fingerprint"] == fingerprint:
                return cls(kept, found["plan"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            pass
        shutil.rmtree(kept, ignore_errors=True)
        return None

    @classmethod
    def start(cls, folder: Path, fingerprint: str, plan: dict[str, Any]) -> Kept:
        """Begin a fetch."""
        kept = folder / "fetching"
        kept.mkdir()
        text = json.dumps({"fingerprint": fingerprint, "plan": plan}) + "\n"
        write_whole(kept / "plan.json", text)
        return cls(kept, plan)

    @property
    def file(self) -> Path:
        """The records kept so far."""
        return self.folder / "records.ndjson"

    def keep(self, page: Page) -> int:
        """Put a page on disk; the number of its records that were not kept already.

        Raises:
            Endless: The page leads back to one that was taken before.
        """
        fresh = page.lines
        if not page.may_repeat:
            fresh = [line for line in fresh if self._is_new(line)]
        data = "".join(f"{line}\n" for line in fresh).encode()
        with self.file.open("ab") as file:
            file.write(data)
            _flush(file)
        self._bytes += len(data)
        place = json.dumps(page.position, sort_keys=True)
        if page.position is not None and place in self._positions:
            raise Endless(
                "The source's pages go in a circle: one leads back to a page taken before.",
                next_step="Type `journeyline sources fetch` again; if it stays so, the source's "
                "paging is broken and its vendor has to know.",
            )
        with (self.folder / "pages.ndjson").open("ab") as file:
            taken = len(fresh) + (page.file is not None)
            told = {"bytes": self._bytes, "records": taken, "position": page.position}
            file.write((json.dumps(told) + "\n").encode())
            _flush(file)
        self._note(page.position, taken)
        return taken

    def restart(self) -> None:
        """Forget the pages, not the plan."""
        (self.folder / "pages.ndjson").unlink(missing_ok=True)
        self.file.unlink(missing_ok=True)
        self.position, self.is_complete = None, False
        self.pages = self.records = self._bytes = 0
        self._recent.clear()
        self._positions.clear()

    def discard(self) -> None:
        """Delete everything that this fetch kept."""
        # In one step: half of a finished fetch would look like one that found nothing.
        done = self.folder.with_name(_DONE)
        os.rename(self.folder, done)
        _sync(done.parent)
        shutil.rmtree(done)

    def _read_pages(self) -> None:
        """Take up what a cut-off fetch left: whole pages count, the torn rest is cut away."""
        pages = self.folder / "pages.ndjson"
        whole = 0
        for line in pages.read_bytes().splitlines(keepends=True) if pages.exists() else []:
            if not line.endswith(b"\n"):
                break
            told = json.loads(line)
            whole += len(line)
            self._bytes = told["bytes"]
            self._note(told["position"], told["records"])
        if pages.exists():
            os.truncate(pages, whole)
        if self._bytes > (self.file.stat().st_size if self.file.exists() else 0):
            self.restart()
        elif self.file.exists():
            os.truncate(self.file, self._bytes)
            with self.file.open(encoding="utf-8", newline="\n") as records:
                for record in records:
                    self._is_new(record.rstrip("\n"))

    def _note(self, position: Position | None, records: int) -> None:
        self.position = position
        self.is_complete = position is None
        self.pages += 1
        self.records += records
        if position is not None:
            self._positions.add(json.dumps(position, sort_keys=True))

    def _is_new(self, line: str) -> bool:
        key = int.from_bytes(hashlib.blake2b(line.encode(), digest_size=12).digest())
        if key in self._recent:
            return False
        self._recent[key] = None
        if len(self._recent) > _REMEMBERED:
            self._recent.popitem(last=False)
        return True


def _flush(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
