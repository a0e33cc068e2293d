"""Zendesk: incremental cursor exports for users and tickets, time-based ones for ticket events.

Child events of a ticket event become the rows of `ticket_events` and `comments`; everything else is
landed as answered.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from orchestration.connectors.feeds import Page, Position, PositionLost
from orchestration.connectors.rest import Answer, Refused, epoch_seconds, since_of
from orchestration.connectors.timed import GONE, TimedFeed

if TYPE_CHECKING:
    from dlt.sources.helpers.rest_client.paginators import BasePaginator

_CURSOR_EXPORTS = ("users", "tickets")
_EVENT_EXPORTS = ("ticket_events", "comments")
_LISTS = ("groups", "satisfaction_ratings")
TABLES = (*_CURSOR_EXPORTS, *_EVENT_EXPORTS, *_LISTS)
_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
# What a child event says beside the field that it is about.
_ABOUT_EVENT = frozenset(
    ("id", "via", "via_reference_id", "event_type", "previous_value", "metadata", "type")
)


class ZendeskFeed(TimedFeed):
    """One table of a Zendesk account."""

    def begin(self, cursor: Mapping[str, Any] | None, started_at: datetime) -> dict[str, Any]:
        """Everything that changed since the last fetch, less the overlap.

        The API refuses a start within the last minute, which the overlap of at least one covers.
        """
        since = since_of(cursor, self._entry) or _BEGINNING
        if cursor is not None and self._entity == "satisfaction_ratings":
            # The list is filtered by when a rating was asked for, and a score comes days later.
            since -= timedelta(days=self._table.lookback_days)
        start = min(since, started_at - timedelta(minutes=self._entry.overlap_minutes))
        return {"start_time": epoch_seconds(start), "started_at": started_at.isoformat()}

    def pages(self, plan: Mapping[str, Any], position: Position | None) -> Iterator[Page]:
        """Pages of the export; see `Feed.pages`."""
        ask = self._list_pages
        if self._entity in _EVENT_EXPORTS:
            ask = self._event_pages
        elif self._entity in _CURSOR_EXPORTS:
            ask = self._cursor_pages
        has_place = position is not None
        try:
            for page in ask(plan, position):
                yield page
                has_place = True
        except Refused as refused:
            if has_place and refused.status in GONE:
                raise PositionLost(
                    f"the cursor is not valid any more ({refused.status})"
                ) from refused
            raise refused.as_error() from refused

    def check(self) -> str:
        """Ask for one record of the table."""
        now = datetime.now(UTC) - timedelta(minutes=5)
        try:
            if self._entity in _EVENT_EXPORTS:
                path = "api/v2/incremental/ticket_events.json"
                self._api.get(path, {"start_time": epoch_seconds(now)})
            elif self._entity in _CURSOR_EXPORTS:
                path = f"api/v2/incremental/{self._entity}/cursor.json"
                self._api.get(path, {"start_time": epoch_seconds(now), "per_page": 1})
            else:
                self._api.get(f"api/v2/{self._entity}.json", {"page[size]": 1})
        except Refused as refused:
            raise refused.as_error() from refused
        return "answers"

    def _cursor_pages(self, plan: Mapping[str, Any], position: Position | None) -> Iterator[Page]:
        path = f"api/v2/incremental/{self._entity}/cursor.json"
        place = position or {"start_time": plan["start_time"]}
        params = {**place, "per_page": self._entry.page_size or 1000}
        for answer in self._api.pages(path, _export_paginator(), params):
            is_last = answer.body.get("end_of_stream") or not answer.body.get("after_cursor")
            after = None if is_last else {"cursor": answer.body["after_cursor"]}
            yield Page(answer.records(self._entity), after)

    def _list_pages(self, plan: Mapping[str, Any], position: Position | None) -> Iterator[Page]:
        from dlt.sources.helpers.rest_client.paginators import JSONResponseCursorPaginator

        params = {"page[size]": self._entry.page_size or 100, **(position or {})}
        if self._entity == "satisfaction_ratings":
            params["start_time"] = plan["start_time"]
        paginator = JSONResponseCursorPaginator(
            cursor_path="meta.after_cursor",
            cursor_param="page[after]",
            has_more_path="meta.has_more",
        )
        for answer in self._api.pages(f"api/v2/{self._entity}.json", paginator, params):
            meta = answer.body.get("meta") or {}
            after = {"page[after]": meta["after_cursor"]} if meta.get("has_more") else None
            yield Page(answer.records(self._entity), after)

    def _event_pages(self, plan: Mapping[str, Any], position: Position | None) -> Iterator[Page]:
        """Pages by time: the next begins at the last event's second, which comes again."""
        place: Position | None = position or {"start_time": plan["start_time"]}
        while place is not None:
            answer = self._api.get(
                "api/v2/incremental/ticket_events.json", {**place, "include": "comment_events"}
            )
            is_last = answer.body.get("end_of_stream") or not answer.body.get("end_time")
            after = None if is_last else {"start_time": answer.body["end_time"]}
            yield Page(self._child_rows(answer), after)
            place = after

    def _child_rows(self, answer: Answer) -> list[str]:
        rows: list[dict[str, Any]] = []
        for event in answer.body.get("ticket_events") or []:
            for child in event.get("child_events") or []:
                if self._entity == "comments":
                    rows += _comment(event, child)
                else:
                    rows += _changes(event, child)
        return [json.dumps(row, ensure_ascii=False) for row in rows]


def _comment(event: dict[str, Any], child: dict[str, Any]) -> list[dict[str, Any]]:
    if child.get("event_type") != "Comment":
        return []
    row = {name: value for name, value in child.items() if name not in ("event_type", "via")}
    return [
        {
            "id": child.get("id"),
            "ticket_id": event.get("ticket_id"),
            "author_id": child.get("author_id", event.get("updater_id")),
            **row,
            "via": {"channel": _channel(child, event)},
            "created_at": _time(event),
        }
    ]


def _changes(event: dict[str, Any], child: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per field that a child event set; comments have a table of their own."""
    kind = child.get("event_type")
    if kind == "Comment":
        return []
    names = [name for name in child if name not in _ABOUT_EVENT]
    shared = {
        "ticket_id": event.get("ticket_id"),
        "updater_id": event.get("updater_id"),
        "via": _channel(child, event),
        "event_type": kind,
        "created_at": _time(event),
    }
    return [
        {
            "id": child.get("id") if number == 0 else f"{child.get('id')}:{name}",
            **shared,
            "field_name": name,
            "value": None if name is None else child[name],
            "previous_value": child.get("previous_value"),
        }
        for number, name in enumerate(names or [None])
    ]


def _time(event: dict[str, Any]) -> Any:
    """When it happened; exports of older accounts say so in seconds only."""
    if event.get("created_at") or not event.get("timestamp"):
        return event.get("created_at")
    return datetime.fromtimestamp(int(event["timestamp"]), UTC).isoformat()


def _channel(child: dict[str, Any], event: dict[str, Any]) -> str | None:
    via = child.get("via") or event.get("via")
    found = via.get("channel") if isinstance(via, dict) else via
    return None if found is None else str(found)


def _export_paginator() -> BasePaginator:
    """`after_cursor` until `end_of_stream`; the start is given up once there is a cursor."""
    from dlt.sources.helpers.rest_client.paginators import JSONResponseCursorPaginator

    class ExportPaginator(JSONResponseCursorPaginator):
        def update_state(self, response: Any, data: list[Any] | None = None) -> None:
            super().update_state(response, data)
            if response.json().get("end_of_stream"):
                self._has_next_page = False

        def update_request(self, request: Any) -> None:
            super().update_request(request)
            request.params.pop("start_time", None)

    return ExportPaginator(cursor_path="after_cursor", cursor_param="cursor")
