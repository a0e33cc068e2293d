"""What the database connectors share: windows of a cursor column, full reads, deleted rows.

An incremental fetch takes the rows between the last fetch's highest cursor value, less the overlap,
and the highest one now. A full fetch takes everything; with a key it tells which rows are gone, by
the delivery that it landed last. Nothing but cursors is kept of a database.
"""

from __future__ import annotations

import csv
import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from orchestration.connectors.entries import DatabaseEntry, DatabaseTable
from orchestration.connectors.feeds import Page, Position, PositionLost
from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.ingest.contracts import Contract
from orchestration.settings import Settings

Row = dict[str, Any]


class DatabaseFeed(ABC):
    """One table or query of a database."""

    def __init__(
        self, entry: DatabaseEntry, contract: Contract, table: DatabaseTable, settings: Settings
    ) -> None:
        self.entry = entry
        self.contract = contract
        self.table = table
        self._landing = settings.landing / contract.source / contract.entity
        self._version = next(
            (c.path for c in contract.columns if c.name == contract.version_column), None
        )
        if table.deleted_column is not None and self._version is None:
            raise JourneylineError(
                "Deleted rows cannot be told in a table without a version column.",
                contract.label,
                "Name versionColumn in the contract, or leave out deleted_column.",
                EXIT_USAGE,
            )

    @abstractmethod
    def newest(self) -> Any:
        """The highest value of the cursor column now; None in an empty table. JSON-ready."""

    @abstractmethod
    def batches(self, since: Any, until: Any) -> Iterator[list[str]]:
        """The rows as JSON lines; those of a window where `until` is not None.

        Args:
            since: Lowest cursor value before the overlap; None means from the beginning.
            until: Highest cursor value.
        """

    @abstractmethod
    def check(self) -> str:
        """See `Feed.check`."""

    def begin(self, cursor: Mapping[str, Any] | None, started_at: datetime) -> dict[str, Any]:
        """The window of an incremental fetch; the last delivery of a full one."""
        plan: dict[str, Any] = {"started_at": started_at.isoformat()}
        if self.table.cursor_column is not None:
            plan["since"] = None if cursor is None else cursor.get("until")
            plan["until"] = self.newest()
        elif cursor is not None and cursor.get("deliveries"):
            plan["previous"] = cursor["deliveries"][-1]
        return plan

    def finish(self, plan: Mapping[str, Any]) -> dict[str, Any]:
        """The highest cursor value that was taken."""
        if self.table.cursor_column is None:
            return {}
        return {"until": plan["since"] if plan["until"] is None else plan["until"]}

    def pages(self, plan: Mapping[str, Any], position: Position | None) -> Iterator[Page]:
        """The rows in batches. A query cannot be gone on with: what was kept of one begins again.

        Raises:
            PositionLost: Another process began the query.
        """
        if position is not None:
            raise PositionLost("a query cannot be gone on with")
        if self.table.cursor_column is not None and plan["until"] is None:
            yield Page([], None)
            return
        for number, lines in enumerate(self._lines(plan), start=1):
            yield Page(lines, {"batch": number}, may_repeat=True)
        yield Page([], None)

    def _lines(self, plan: Mapping[str, Any]) -> Iterator[list[str]]:
        if self.table.deleted_column is None:
            yield from self.batches(plan.get("since"), plan.get("until"))
            return
        at = str(plan["started_at"])
        previous = self._previous(plan.get("previous"))
        restored = {self._key(row) for row in self._rows(previous) if self._is_deleted(row)}
        seen: set[bytes] = set()
        for lines in self.batches(None, None):
            rows = [json.loads(line) for line in lines]
            keys = [self._key(row) for row in rows]
            seen.update(keys)
            marked = zip(rows, keys, strict=True)
            yield [_line(self._alive(row, at if key in restored else None)) for row, key in marked]
        yield [
            _line(row if self._is_deleted(row) else self._gone(row, at))
            for row in self._rows(previous)
            if self._key(row) not in seen
        ]

    def _alive(self, row: Row, restored_at: str | None) -> Row:
        """A row that is there; one that had been deleted is a new version of itself."""
        assert self.table.deleted_column is not None and self._version is not None
        row.setdefault(self.table.deleted_column, "false")
        return row if restored_at is None else {**row, self._version: restored_at}

    def _gone(self, row: Row, at: str) -> Row:
        assert self.table.deleted_column is not None and self._version is not None
        return {**row, self.table.deleted_column: "true", self._version: at}

    def _is_deleted(self, row: Row) -> bool:
        return str(row.get(self.table.deleted_column or "")).lower() in ("true", "t", "1")

    def _key(self, row: Row) -> bytes:
        missing = [name for name in self.table.key if name not in row]
        if missing:
            raise JourneylineError(
                f"The key column {missing[0]} is no column of the table.",
                self.contract.label,
                "Correct `key` in the connector's entry.",
                EXIT_USAGE,
            )
        text = json.dumps([str(row[name]) for name in self.table.key])
        return hashlib.blake2b(text.encode(), digest_size=16).digest()

    def _previous(self, delivery_id: str | None) -> Path | None:
        """The file of the delivery that was landed last; None where it is no more."""
        if delivery_id is None:
            return None
        folder = self._landing / delivery_id
        try:
            manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return folder / str(manifest["files"][0]["name"])

    def _rows(self, file: Path | None) -> Iterator[Row]:
        if file is None:
            return
        with file.open(encoding="utf-8", newline="\n" if file.suffix == ".ndjson" else "") as text:
            if file.suffix == ".ndjson":
                yield from (json.loads(line) for line in text)
            else:
                yield from csv.DictReader(text, delimiter=self.contract.delimiter)


def _line(row: Row) -> str:
    return json.dumps(row, ensure_ascii=False)


def explained(kind: str, where: str, error: Exception, secret: str) -> JourneylineError:
    """A driver's error for a person, without the address that holds the password."""
    said = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
    return JourneylineError(
        f"{kind} cannot be read: {said.replace(secret, '…')}",
        where,
        "Look whether the server runs, the environment variable of the entry holds its address, "
        "and the table and its columns exist.",
    )
