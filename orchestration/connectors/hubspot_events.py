"""HubSpot's Marketing e-mail events: what happened to each mail, page after page by an offset.

The API answers the newest events first, in a window of time that the plan fixes, so that what
happens meanwhile moves no page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orchestration.connectors.feeds import Page, Position
from orchestration.connectors.timed import TimedFeed, milliseconds
from orchestration.errors import JourneylineError

_PATH = "email/public/v1/events"
_PAGE = 1000


class EmailEventsFeed(TimedFeed):
    """The events of all mails of an account."""

    def check(self) -> str:
        """Ask for one event."""
        self._ask_once(_PATH, {"limit": 1})
        return "answers"

    def pages(self, plan: Mapping[str, Any], position: Position | None) -> Iterator[Page]:
        """Events of the window until there are no more; see `Feed.pages`."""
        params: dict[str, Any] = {
            "limit": min(self._entry.page_size or _PAGE, _PAGE),
            "endTimestamp": milliseconds(plan["started_at"]),
            # Those of filtered addresses come too, marked: the contract's reader leaves them out.
            "excludeFilteredEvents": "false",
        }
        if plan["since"] is not None:
            params["startTimestamp"] = milliseconds(plan["since"])

        def ask(place: Position) -> tuple[list[str], Position | None]:
            """The records at a place, and the place after it."""
            answer = self._api.get(_PATH, {**params, **place})
            follows: Position | None = None
            if answer.body.get("hasMore"):
                if not answer.body.get("offset"):
                    raise JourneylineError(
                        "The API says that there is more, and not where.",
                        _PATH,
                        "Fetch again later; pages taken so far are kept.",
                    )
                follows = {"offset": str(answer.body["offset"])}
            return answer.records("events"), follows

        yield from self._walk(ask, position)
