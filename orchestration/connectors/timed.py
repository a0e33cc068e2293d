"""What the feeds by time share: a fetch begins where the last one began, less the overlap."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from orchestration.connectors.entries import RestEntry, RestTable
from orchestration.connectors.feeds import Page, Position, PositionLost
from orchestration.connectors.rest import Api, Refused, since_of
from orchestration.ingest.contracts import Contract

# Answers to a place that was good once: the source does not know it any more.
GONE = (400, 404, 410, 422)


class TimedFeed:
    """One table of a REST source that is asked for what is new since a time."""

    def __init__(self, entry: RestEntry, contract: Contract, table: RestTable) -> None:
        self._entry = entry
        self._entity = contract.entity
        self._table = table
        self._api = Api(entry)

    def begin(self, cursor: Mapping[str, Any] | None, started_at: datetime) -> dict[str, Any]:
        """What is new since the last fetch, less the overlap; everything at first."""
        since = since_of(cursor, self._entry)
        return {
            "since": None if since is None else since.isoformat(),
            "started_at": started_at.isoformat(),
        }

    def finish(self, plan: Mapping[str, Any]) -> dict[str, Any]:
        """The next fetch begins where this one began."""
        return {"since": plan["started_at"]}

    def _ask_once(self, path: str, params: Mapping[str, Any]) -> Any:
        """The answer's body; for checks, whose errors are told as they are."""
        try:
            return self._api.get(path, params).body
        except Refused as refused:
            raise refused.as_error() from refused

    def _walk(
        self,
        ask: Callable[[Position], tuple[list[str], Position | None]],
        position: Position | None,
    ) -> Iterator[Page]:
        """Page after page until there is none to go on to.

        Args:
            ask: The records at a place, and the place after it; at first the place is empty.
            position: Where to go on from.
        """
        place: Position | None = position or {}
        has_place = position is not None
        while place is not None:
            try:
                lines, place = ask(place)
            except Refused as refused:
                if has_place and refused.status in GONE:
                    raise PositionLost(
                        f"the place to go on from is not valid any more ({refused.status})"
                    ) from refused
                raise refused.as_error() from refused
            has_place = True
            yield Page(lines, place)


def milliseconds(instant: datetime | str) -> int:
    """Milliseconds since 1970 of an instant, or of its text."""
    if isinstance(instant, str):
        instant = datetime.fromisoformat(instant.replace("Z", "+00:00"))
    return int(instant.astimezone(UTC).timestamp() * 1000)
