"""Intercom: contacts and conversations through the search, page after page by `starting_after`.

The search compares whole days where it compares times, so a fetch begins a day before the last one
began; what comes again counts once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from orchestration.connectors.feeds import Page, Position
from orchestration.connectors.rest import epoch_seconds
from orchestration.connectors.timed import TimedFeed

# Table, and the name of its records in an answer.
_RECORDS = {"contacts": "data", "conversations": "conversations"}
TABLES = tuple(_RECORDS)
_PAGE = 150
_DAY = timedelta(days=1)


class IntercomFeed(TimedFeed):
    """Contacts or conversations of an Intercom workspace."""

    def check(self) -> str:
        """Ask for one record."""
        self._ask_once(self._entity, {"per_page": 1})
        return "answers"

    def pages(self, plan: Mapping[str, Any], position: Position | None) -> Iterator[Page]:
        """Pages of the search; see `Feed.pages`."""
        since = 0
        if plan["since"] is not None:
            since = epoch_seconds(datetime.fromisoformat(plan["since"]) - _DAY)
        size = min(self._entry.page_size or _PAGE, _PAGE)

        def ask(place: Position) -> tuple[list[str], Position | None]:
            body = {
                "query": {"field": "updated_at", "operator": ">", "value": since},
                "pagination": {"per_page": size, **place},
                "sort": {"field": "updated_at", "order": "ascending"},
            }
            answer = self._api.post(f"{self._entity}/search", body)
            after = ((answer.body.get("pages") or {}).get("next") or {}).get("starting_after")
            follows = None if after is None else {"starting_after": str(after)}
            return answer.records(_RECORDS[self._entity]), follows

        yield from self._walk(ask, position)
