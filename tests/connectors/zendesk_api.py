"""Zendesk's incremental exports and lists, as its API answers them."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Any

from local_api import LocalApi, status
from werkzeug.wrappers import Request, Response

AUTHORIZATION = "Basic " + base64.b64encode(b"desk@example.com/token:s3cret").decode()


class Zendesk:
    """Records by table; an export gives what was updated at or after `start_time`, oldest first.

    Answers are indented JSON with numbers that a parser would rewrite, as real ones may be.
    """

    def __init__(self, page: int = 3) -> None:
        self.tables: dict[str, list[dict[str, Any]]] = {}
        self.expired: set[str] = set()
        self.page = page
        self.api = LocalApi(self._answer, AUTHORIZATION)

    def _answer(self, request: Request) -> Any:
        parts = request.path.strip("/").removesuffix(".json").split("/")
        if parts[:3] == ["api", "v2", "incremental"]:
            if parts[3] == "ticket_events":
                return self._by_time(request)
            return self._by_cursor(parts[3], request)
        if len(parts) == 3 and parts[2] in ("groups", "satisfaction_ratings"):
            return self._listed(parts[2], request)
        return status(404)

    def _by_cursor(self, table: str, request: Request) -> Response:
        cursor = request.args.get("cursor")
        if cursor is not None:
            if cursor in self.expired:
                return status(410)
            start, place = (int(part) for part in cursor.split("-"))
        else:
            start, place = int(request.args["start_time"]), 0
        due = _since(self.tables[table], "updated_at", start)
        size = min(self.page, int(request.args["per_page"]))
        answer = {
            table: due[place : place + size],
            "after_cursor": f"{start}-{place + size}",
            "end_of_stream": place + size >= len(due),
        }
        return Response(json.dumps(answer, indent=2), mimetype="application/json")

    def _by_time(self, request: Request) -> dict[str, Any]:
        start = int(request.args["start_time"])
        due = _since(self.tables["ticket_events"], "created_at", start)
        page = due[: self.page]
        end = _seconds(page[-1]["created_at"]) if page else start
        return {
            "ticket_events": page,
            "end_time": end,
            "count": len(page),
            "end_of_stream": len(due) <= self.page,
        }

    def _listed(self, table: str, request: Request) -> dict[str, Any]:
        due = self.tables[table]
        if "start_time" in request.args:
            due = _since(due, "created_at", int(request.args["start_time"]))
        place = int(request.args.get("page[after]", 0))
        has_more = place + self.page < len(due)
        return {
            table: due[place : place + self.page],
            "meta": {"has_more": has_more, "after_cursor": str(place + self.page)},
        }


def _since(records: list[dict[str, Any]], name: str, start: int) -> list[dict[str, Any]]:
    due = [record for record in records if _seconds(record[name]) >= start]
    return sorted(due, key=lambda record: str(record[name]))


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())
