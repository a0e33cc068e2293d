"""Pipedrive: persons and deals by cursor paging, those that changed since the last fetch.

The listing of deals leaves deleted ones out, so these are asked for after it; Pipedrive knows them
for thirty days.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from orchestration.connectors.feeds import Page, Position
from orchestration.connectors.timed import TimedFeed

TABLES = ("persons", "deals")
_DELETED: Position = {"status": "deleted"}
_PAGE = 500


class PipedriveFeed(TimedFeed):
    """One table of a Pipedrive account, deleted records among them."""

    def check(self) -> str:
        """Ask for one record."""
        self._ask_once(self._path, {"limit": 1})
        return "answers"

    @property
    def _path(self) -> str:
        return f"api/v2/{self._entity}"

    def pages(self, plan: Mapping[str, Any], position: Position | None) -> Iterator[Page]:
        """Pages of the listing; see `Feed.pages`."""
        params: dict[str, Any] = {
            "limit": min(self._entry.page_size or _PAGE, _PAGE),
            "sort_by": "update_time",
            "sort_direction": "asc",
        }
        if plan["since"] is not None:
            params["updated_since"] = _rfc3339(plan["since"])

        def ask(place: Position) -> tuple[list[str], Position | None]:
            """The records at a place, and the place after it."""
            answer = self._api.get(self._path, {**params, **place})
            after = (answer.body.get("additional_data") or {}).get("next_cursor")
            following = None if after is None else {"cursor": str(after)}
            if self._entity == "deals":
                following = _following_deals(place, following)
            return answer.records("data"), following

        yield from self._walk(ask, position)


def _following_deals(place: Position, following: Position | None) -> Position | None:
    """The place after one of the deals: within the listing, or within the deleted ones."""
    is_deleted = place.get("status") == _DELETED["status"]
    if following is None:
        return None if is_deleted else _DELETED
    return {**following, **_DELETED} if is_deleted else following


def _rfc3339(instant: str) -> str:
    return datetime.fromisoformat(instant).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
