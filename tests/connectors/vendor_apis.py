"""Salesforce, Pipedrive and Intercom as their APIs answer; what they serve are the fixtures."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from local_api import LocalApi, as_response, status
from werkzeug.wrappers import Request

from orchestration.settings import REPO_ROOT

FIXTURES = REPO_ROOT / "tests" / "fixtures"
Record = dict[str, Any]


def fixture(vendor: str, table: str) -> list[Record]:
    text = (FIXTURES / vendor / f"{table}.ndjson").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


class Salesforce:
    """One organisation; a query gives the fields that it names, two records a page."""

    TOKEN_PATH = "/services/oauth2/token"

    def __init__(self, page: int = 2) -> None:
        self.page = page
        self.generation = 0
        self.records: dict[str, list[Record]] = {}
        self._queries: list[list[Record]] = []
        self.api = LocalApi(self._answer, "Bearer token-1")
        self.tokens = 0

    def _answer(self, request: Request) -> Any:
        parts = request.path.strip("/").split("/")
        if parts[3:4] == ["query"] and len(parts) == 5:
            generation, number, at = (int(part) for part in parts[4].split("-"))
            if generation != self.generation:
                return status(400, '[{"errorCode":"INVALID_QUERY_LOCATOR"}]')
            return self._answered(number, at)
        if parts[3:] != ["queryAll"]:
            return status(404)
        return self._asked(request.args["q"])

    def _asked(self, query: str) -> Any:
        found = re.fullmatch(
            r"SELECT (?P<fields>.+) FROM (?P<kind>\w+)"
            r"(?: WHERE (?P<window>.+) ORDER BY SystemModstamp, Id)?",
            query,
        )
        if found is None:
            return status(400, '[{"errorCode":"MALFORMED_QUERY"}]')
        due = self.records.get(found["kind"], [])
        if found["fields"] == "COUNT()":
            return {"totalSize": len(due), "done": True, "records": []}
        for term in (found["window"] or "").split(" AND "):
            field, sign, literal = term.split(" ")
            bound = _instant(literal)
            due = [r for r in due if (_instant(r[field]) < bound) == (sign == "<")]
        due = sorted(due, key=lambda record: (record["SystemModstamp"], record["Id"]))
        names = ["attributes", *found["fields"].split(", ")]
        missing = [name for name in names for record in due if name not in record]
        if missing:
            return status(400, '[{"errorCode":"INVALID_FIELD"}]')
        self._queries.append([{name: record[name] for name in names} for record in due])
        return self._answered(len(self._queries) - 1, 0)

    def _answered(self, number: int, at: int) -> Any:
        due, end = self._queries[number], at + self.page
        answer: Record = {"totalSize": len(due), "done": end >= len(due), "records": due[at:end]}
        if end < len(due):
            place = f"{self.generation}-{number}-{end}"
            answer["nextRecordsUrl"] = f"/services/data/v61.0/query/{place}"
        return answer

    def grant(self, request: Request) -> Any:
        """A token for the client's id and secret; for use as a fault of the first request."""
        self.tokens += 1
        if request.form.to_dict() != {
            "client_id": "id-1",
            "client_secret": "secret-1",
            "grant_type": "client_credentials",
        }:
            return status(401)
        return as_response({"access_token": "token-1", "token_type": "Bearer"})


class Pipedrive:
    """Persons and deals of one account, by cursors that are opaque."""

    def __init__(self) -> None:
        self.persons: list[Record] = []
        self.deals: list[Record] = []
        self.api = LocalApi(self._answer, "")
        self.api.header = ("x-api-token", "pd-1")

    def _answer(self, request: Request) -> Any:
        kinds = {"/api/v2/persons": self.persons, "/api/v2/deals": self.deals}
        if request.path not in kinds:
            return status(404)
        since = request.args.get("updated_since")
        due = [r for r in kinds[request.path] if since is None or r["update_time"] >= since]
        if request.path.endswith("deals"):
            # Deleted deals come only where they are asked for.
            wanted = request.args.get("status") == "deleted"
            due = [deal for deal in due if (deal["status"] == "deleted") == wanted]
        due.sort(key=lambda record: (record["update_time"], record["id"]))
        at = int(request.args.get("cursor", "c0")[1:])
        end = at + int(request.args["limit"])
        cursor = f"c{end}" if end < len(due) else None
        return {"success": True, "data": due[at:end], "additional_data": {"next_cursor": cursor}}


class Intercom:
    """Contacts and conversations; times are compared as days, as the search does.

    A conversation has its parts where it is asked for by its id.
    """

    def __init__(self) -> None:
        self.records: dict[str, list[Record]] = {}
        self.api = LocalApi(self._answer, "Bearer ic-1")

    def _answer(self, request: Request) -> Any:
        kind, *rest = request.path.strip("/").split("/")
        if request.method == "GET" and rest:
            return self._conversation(rest[0])
        name = "data" if kind == "contacts" else "conversations"
        if request.method == "GET":
            return {"type": "list", name: self.records[kind][:1]}
        asked = request.get_json()
        day = 86_400
        since = asked["query"]["value"] // day * day
        due = [r for r in self.records[kind] if r["updated_at"] > since]
        due.sort(key=lambda record: (record["updated_at"], record["id"]))
        size = asked["pagination"]["per_page"]
        at = int(asked["pagination"].get("starting_after", "after-0").split("-")[1])
        pages: Record = {"type": "pages", "per_page": size}
        if at + size < len(due):
            pages["next"] = {"page": 2, "starting_after": f"after-{at + size}"}
        return {"type": "list", name: due[at : at + size], "total_count": len(due), "pages": pages}

    def _conversation(self, number: str) -> Any:
        found = [one for one in self.records["conversations"] if one["id"] == number]
        if not found:
            return status(404)
        parts = [
            {name: value for name, value in part.items() if name != "conversation_id"}
            for part in self.records.get("conversation_parts", [])
            if part["conversation_id"] == number
        ]
        listed = {"type": "conversation_part.list", "conversation_parts": parts}
        return {**found[-1], "conversation_parts": listed}


def _instant(text: str) -> datetime:
    text = text.replace("Z", "+00:00").replace("+0000", "+00:00")
    return datetime.fromisoformat(text).astimezone(UTC)
