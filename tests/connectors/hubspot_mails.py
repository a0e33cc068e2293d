"""HubSpot's log of e-mail events, as its API answers it: newest first, offsets that are opaque."""

from __future__ import annotations

from typing import Any

from local_api import LocalApi, status
from werkzeug.wrappers import Request

AUTHORIZATION = "Bearer pat-123"


class EmailLog:
    """All events of an account; `most` is the greatest page it gives."""

    def __init__(self, most: int = 1000) -> None:
        self.events: list[dict[str, Any]] = []
        self.most = most
        self.generation = 0
        self.api = LocalApi(self._answer, AUTHORIZATION)

    def _answer(self, request: Request) -> Any:
        if request.path != "/email/public/v1/events":
            return status(404)
        start = int(request.args.get("startTimestamp", 0))
        end = int(request.args.get("endTimestamp", 2**62))
        due = [e for e in self.events if start <= e["created"] <= end]
        due.sort(key=lambda event: (-event["created"], event["id"]))
        offset = request.args.get("offset", f"g{self.generation}-0")
        generation, _, place = offset.removeprefix("g").partition("-")
        if int(generation) != self.generation:
            return status(400)
        at, limit = int(place), min(int(request.args["limit"]), self.most)
        more = at + limit < len(due)
        # The API names an offset on the last page too; only hasMore says that there is none.
        return {
            "hasMore": more,
            "offset": f"g{self.generation}-{at + limit}",
            "events": due[at : at + limit],
        }
