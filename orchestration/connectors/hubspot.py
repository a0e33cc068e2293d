"""HubSpot: the whole list at first, then searches windowed by time, archived records each time.

A search answers at most 10,000 results and neither associations nor history; windows that hold more
are halved, and what a search leaves out is read in batches. A merged record is no longer listed:
the survivor's `hs_merged_object_ids`, always asked for, says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from orchestration.connectors.entries import RestEntry, RestTable
from orchestration.connectors.feeds import Page, Position, PositionLost
from orchestration.connectors.raw_json import with_member
from orchestration.connectors.rest import Answer, Refused, since_of
from orchestration.connectors.timed import GONE, TimedFeed, milliseconds
from orchestration.ingest.contracts import Contract

TABLES = (
    *("contacts", "companies", "deals", "tickets", "calls", "meetings", "owners"),
    "email_events",
)
SEARCH_LIMIT = 10_000
_SEARCH_PAGE = 200
_LIST_PAGE = 100
# With history the API gives half as many records a request.
_HISTORY_PAGE = 50
_ALWAYS = ("hs_merged_object_ids",)


class HubSpotFeed(TimedFeed):
    """One kind of object of a HubSpot account."""

    def __init__(self, entry: RestEntry, contract: Contract, table: RestTable) -> None:
        super().__init__(entry, contract, table)
        self._object = contract.entity
        paths = [*(c.path for c in contract.columns), *table.columns.values()]
        self._properties = sorted({*_below("properties.", paths), *table.properties, *_ALWAYS})
        self._history = sorted(set(_below("propertiesWithHistory.", paths)))
        self._associations = sorted(set(_below("associations.", paths)))
        self._changed = "lastmodifieddate" if self._object == "contacts" else "hs_lastmodifieddate"

    def begin(self, cursor: Mapping[str, Any] | None, started_at: datetime) -> dict[str, Any]:
        """The list where nothing was fetched before; else a search since then, with the overlap."""
        since = since_of(cursor, self._entry)
        return {
            "since": None if since is None else milliseconds(since),
            "until": milliseconds(started_at),
            "started_at": started_at.isoformat(),
        }

    def check(self) -> str:
        """Ask for one record of the kind."""
        self._ask_once(self._list_path(), {"limit": 1})
        return "answers"

    def pages(self, plan: Mapping[str, Any], position: Position | None) -> Iterator[Page]:
        """Live records, then archived ones; see `Feed.pages`."""
        is_search = plan["since"] is not None and self._object != "owners"
        first = {"phase": "search", "from": plan["since"]} if is_search else {"phase": "list"}
        place: Position | None = position or first
        has_place = position is not None
        while place is not None:
            try:
                ask = self._search_page if place["phase"] == "search" else self._list_page
                page = ask(plan, place)
            except Refused as refused:
                if has_place and refused.status in GONE:
                    raise PositionLost(
                        f"the place to go on from is not valid any more ({refused.status})"
                    ) from refused
                raise refused.as_error() from refused
            yield page
            has_place = True
            place = page.position

    def _list_path(self) -> str:
        return "crm/v3/owners" if self._object == "owners" else f"crm/v3/objects/{self._object}"

    def _list_page(self, plan: Mapping[str, Any], place: Position) -> Page:
        """A page of the list; of the archived one where the phase says so."""
        is_archived = place["phase"] == "archived"
        limit = _HISTORY_PAGE if self._history else _LIST_PAGE
        params: dict[str, Any] = {"limit": min(self._entry.page_size or limit, limit)}
        params["archived"] = "true" if is_archived else "false"
        if self._object != "owners":
            asked = {
                "properties": self._properties,
                "propertiesWithHistory": self._history,
                "associations": self._associations,
            }
            params |= {name: ",".join(values) for name, values in asked.items() if values}
        if "after" in place:
            params["after"] = place["after"]
        answer = self._api.get(self._list_path(), params)
        after = _after(answer)
        follows: Position | None = None if is_archived else {"phase": "archived"}
        if after is not None:
            follows = {"phase": place["phase"], "after": after}
        lines = answer.records("results")
        if is_archived and plan["since"] is not None:
            records = zip(lines, answer.body.get("results") or [], strict=True)
            lines = [line for line, record in records if _archived_at(record) >= plan["since"]]
        return Page(lines, follows)

    def _search_page(self, plan: Mapping[str, Any], place: Position) -> Page:
        """A page of the window [from, to]; the window is halved while it holds too much."""
        start, end = int(place["from"]), min(int(place.get("to", plan["until"])), plan["until"])
        while True:
            answer = self._search(start, end, place)
            total = int(answer.body.get("total") or 0)
            if total <= SEARCH_LIMIT or end <= start or "after" in place or "id" in place:
                break
            end = start + (end - start) // 2
        lines = self._completed(answer)
        return Page(lines, self._next_place(plan, place, answer, (start, end), total))

    def _next_place(
        self,
        plan: Mapping[str, Any],
        place: Position,
        answer: Answer,
        window: tuple[int, int],
        total: int,
    ) -> Position:
        start, end = window
        here: Position = {"phase": "search", "from": start, "to": end, "total": total}
        if total > SEARCH_LIMIT or "id" in place:
            # One instant holds too much: its records follow each other by their ids.
            found = answer.body.get("results") or []
            if found:
                return {**here, "id": str(found[-1]["id"])}
        else:
            lost = int(place.get("total", total)) - total
            if lost > 0:
                # Records changed meanwhile left the window, and the rest moved up by as many.
                return {**here, "after": str(max(0, int(place.get("after", 0)) - lost))}
            after = _after(answer)
            if after is not None:
                return {**here, "after": after}
        if end < int(plan["until"]):
            # Where a window was halved, its neighbour is likely to be as full.
            return {"phase": "search", "from": end + 1, "to": end + 2 * (end - start + 1)}
        return {"phase": "archived"}

    def _search(self, start: int, end: int, place: Position) -> Answer:
        changed = {
            "propertyName": self._changed,
            "operator": "BETWEEN",
            "value": str(start),
            "highValue": str(end),
        }
        filters: list[dict[str, str]] = [changed]
        sort = "hs_object_id" if start >= end else self._changed
        if "id" in place:
            past = {"propertyName": "hs_object_id", "operator": "GT", "value": place["id"]}
            filters.append(past)
        body: dict[str, Any] = {
            "filterGroups": [{"filters": filters}],
            "sorts": [{"propertyName": sort, "direction": "ASCENDING"}],
            "properties": self._properties,
            "limit": min(self._entry.page_size or _SEARCH_PAGE, _SEARCH_PAGE),
        }
        if "after" in place:
            body["after"] = place["after"]
        return self._api.post(f"{self._list_path()}/search", body)

    def _completed(self, answer: Answer) -> list[str]:
        """The found records with the history and the associations that a search leaves out."""
        ids = [str(record["id"]) for record in answer.body.get("results") or []]
        lines = answer.records("results")
        if self._history and ids:
            lines = [line for batch in _batches(ids, _HISTORY_PAGE) for line in self._read(batch)]
        if not self._associations or not lines:
            return lines
        linked: dict[str, dict[str, Any]] = {}
        for kind in self._associations:
            self._read_associations(kind, ids, linked)
        return [_with_associations(line, linked) for line in lines]

    def _read(self, ids: list[str]) -> list[str]:
        body = {
            "inputs": [{"id": one} for one in ids],
            "properties": self._properties,
            "propertiesWithHistory": self._history,
        }
        return self._api.post(f"{self._list_path()}/batch/read", body).records("results")

    def _read_associations(
        self, kind: str, ids: list[str], linked: dict[str, dict[str, Any]]
    ) -> None:
        path = f"crm/v4/associations/{self._object}/{kind}/batch/read"
        inputs = [{"id": one} for one in ids]
        while inputs:
            answer = self._api.post(path, {"inputs": inputs})
            inputs = []
            for found in answer.body.get("results") or []:
                origin = str(found["from"]["id"])
                results = linked.setdefault(origin, {}).setdefault(kind, {"results": []})["results"]
                results += [{"id": str(one["toObjectId"])} for one in found.get("to") or []]
                after = ((found.get("paging") or {}).get("next") or {}).get("after")
                if after is not None:
                    inputs.append({"id": origin, "after": after})


def _with_associations(line: str, linked: dict[str, dict[str, Any]]) -> str:
    found = linked.get(str(json.loads(line)["id"]))
    return line if found is None else with_member(line, "associations", found)


def _below(prefix: str, paths: list[str]) -> list[str]:
    """First name below a prefix in each path that has it."""
    rest = [path.removeprefix(prefix) for path in paths if path.startswith(prefix)]
    return [name.split(".")[0].split("[")[0] for name in rest]


def _after(answer: Answer) -> str | None:
    after = ((answer.body.get("paging") or {}).get("next") or {}).get("after")
    return None if after is None else str(after)


def _archived_at(record: dict[str, Any]) -> int:
    """When a record was archived, in milliseconds; the end of time where it does not say."""
    text = record.get("archivedAt") or record.get("updatedAt")
    if not text:
        return 2**62
    return milliseconds(str(text))


def _batches(ids: list[str], size: int) -> Iterator[list[str]]:
    for place in range(0, len(ids), size):
        yield ids[place : place + size]
