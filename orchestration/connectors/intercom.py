"""Intercom: contacts and conversations through the search, page after page by `starting_after`.

The parts of a conversation come with it alone: each one that the search finds is asked for.

The search compares whole days where it compares times, so a fetch begins a day before the last one
began; what comes again counts once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from orchestration.connectors.feeds import Page, Position
from orchestration.connectors.raw_json import with_member
from orchestration.connectors.rest import Refused, epoch_seconds
from orchestration.connectors.timed import TimedFeed

# Table, and the name of its records in an answer of the search.
_RECORDS = {"contacts": "data", "conversations": "conversations"}
_PARTS = "conversation_parts"
TABLES = (*_RECORDS, _PARTS)
_PAGE = 150
# A page of parts is as many requests as it has conversations.
_PAGE_OF_PARTS = 20
_DAY = timedelta(days=1)


class IntercomFeed(TimedFeed):
    """Contacts, conversations or the parts of these of an Intercom workspace."""

    def check(self) -> str:
        """Ask for one record."""
        self._ask_once(self._searched, {"per_page": 1})
        return "answers"

    def pages(self, plan: Mapping[str, Any], position: Position | None) -> Iterator[Page]:
        """Pages of the search; see `Feed.pages`."""
        since = 0
        if plan["since"] is not None:
            since = epoch_seconds(datetime.fromisoformat(plan["since"]) - _DAY)
        most = _PAGE_OF_PARTS if self._entity == _PARTS else _PAGE
        size = min(self._entry.page_size or most, most)

        def ask(place: Position) -> tuple[list[str], Position | None]:
            """The records at a place, and the place after it."""
            body = {
                "query": {"field": "updated_at", "operator": ">", "value": since},
                "pagination": {"per_page": size, **place},
                "sort": {"field": "updated_at", "order": "ascending"},
            }
            answer = self._api.post(f"{self._searched}/search", body)
            after = ((answer.body.get("pages") or {}).get("next") or {}).get("starting_after")
            follows = None if after is None else {"starting_after": str(after)}
            if self._entity == _PARTS:
                found = (answer.body or {}).get("conversations") or []
                return [part for one in found for part in self._parts(str(one["id"]))], follows
            return answer.records(_RECORDS[self._entity]), follows

        yield from self._walk(ask, position)

    @property
    def _searched(self) -> str:
        return "conversations" if self._entity == _PARTS else self._entity

    def _parts(self, conversation_id: str) -> list[str]:
        """The parts of a conversation, each with the conversation that it belongs to."""
        try:
            answer = self._api.get(f"conversations/{quote(conversation_id, safe='')}")
        except Refused as refused:
            # Deleted since the search found it.
            if refused.status == 404:
                return []
            raise
        parts = answer.records(_PARTS, _PARTS)
        return [with_member(part, "conversation_id", conversation_id) for part in parts]
