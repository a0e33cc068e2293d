"""HubSpot's lists, searches and batch reads, as its API answers them."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from local_api import LocalApi, status
from werkzeug.wrappers import Request

AUTHORIZATION = "Bearer pat-123"
LIMIT = 10_000


class HubSpot:
    """Whole records by kind; a list or a search gives of them only what was asked for."""

    def __init__(self) -> None:
        self.records: dict[str, list[dict[str, Any]]] = {}
        self.api = LocalApi(self._answer, AUTHORIZATION)

    def _answer(self, request: Request) -> Any:
        parts = request.path.strip("/").split("/")
        kind = parts[2] if parts[2] == "owners" else parts[3]
        if parts[:2] == ["crm", "v4"]:
            return self._linked(kind, parts[4], request)
        if parts[-1] == "search":
            return self._search(kind, request.get_json())
        if parts[-2:] == ["batch", "read"]:
            return self._read(kind, request.get_json())
        return self._list(kind, request)

    def _list(self, kind: str, request: Request) -> Any:
        limit, after = int(request.args["limit"]), int(request.args.get("after", 0))
        archived = request.args.get("archived") == "true"
        wanted = {name: _split(request.args.get(name)) for name in _PARTS}
        due = [r for r in self.records[kind] if r["archived"] == archived and int(r["id"]) > after]
        due.sort(key=lambda record: int(record["id"]))
        page = due[:limit]
        answer: dict[str, Any] = {"results": [_trimmed(r, wanted, kind) for r in page]}
        if len(due) > limit:
            answer["paging"] = {"next": {"after": page[-1]["id"], "link": "https://elsewhere"}}
        return answer

    def _search(self, kind: str, asked: dict[str, Any]) -> Any:
        after, limit = int(asked.get("after", 0)), asked["limit"]
        if after + limit > LIMIT or limit > 200:
            return status(400)
        due = [r for r in self.records[kind] if not r["archived"]]
        for one in asked["filterGroups"][0]["filters"]:
            due = [record for record in due if _passes(record, one)]
        by = asked["sorts"][0]["propertyName"]
        due.sort(
            key=lambda r: (int(r["id"]) if by == "hs_object_id" else _changed(r), int(r["id"]))
        )
        wanted = {
            "properties": asked["properties"],
            "propertiesWithHistory": [],
            "associations": [],
        }
        answer: dict[str, Any] = {
            "total": len(due),
            "results": [_trimmed(r, wanted, kind) for r in due[after : after + limit]],
        }
        if after + limit < len(due):
            answer["paging"] = {"next": {"after": str(after + limit)}}
        return answer

    def _read(self, kind: str, asked: dict[str, Any]) -> Any:
        if len(asked["inputs"]) > 50:
            return status(400)
        ids = {one["id"] for one in asked["inputs"]}
        wanted = {**asked, "associations": []}
        return {
            "results": [_trimmed(r, wanted, kind) for r in self.records[kind] if r["id"] in ids]
        }

    def _linked(self, kind: str, to: str, request: Request) -> Any:
        """One association at a time, so that a record with two needs a second page."""
        results = []
        records = {record["id"]: record for record in self.records[kind]}
        for one in request.get_json()["inputs"]:
            linked = records[one["id"]].get("associations", {}).get(to, {}).get("results", [])
            place = int(one.get("after", 0))
            found: dict[str, Any] = {
                "from": {"id": one["id"]},
                "to": [{"toObjectId": int(link["id"])} for link in linked[place : place + 1]],
            }
            if place + 1 < len(linked):
                found["paging"] = {"next": {"after": str(place + 1)}}
            if linked:
                results.append(found)
        return {"results": results}


_PARTS = ("properties", "propertiesWithHistory", "associations")


def _split(text: str | None) -> list[str]:
    return text.split(",") if text else []


def _trimmed(record: dict[str, Any], wanted: dict[str, Any], kind: str) -> dict[str, Any]:
    if kind == "owners":
        return record
    shown = {name: value for name, value in record.items() if name not in _PARTS}
    shown["properties"] = {name: record["properties"].get(name) for name in wanted["properties"]}
    for part in _PARTS[1:]:
        found = {n: v for n, v in record.get(part, {}).items() if n in wanted.get(part, ())}
        if found:
            shown[part] = found
    return shown


def _changed(record: dict[str, Any]) -> int:
    return _milliseconds(record["updatedAt"])


@cache
def _milliseconds(text: str) -> int:
    text = text.replace("Z", "+00:00")
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def _passes(record: dict[str, Any], one: dict[str, str]) -> bool:
    if one["operator"] == "BETWEEN":
        return int(one["value"]) <= _changed(record) <= int(one["highValue"])
    return int(record["id"]) > int(one["value"])
