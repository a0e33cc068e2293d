"""Salesforce: SOQL through `queryAll`, so that deleted and merged records come too.

What is asked for follows from the contract: every column's path is a field. A query's pages follow
`nextRecordsUrl`; Salesforce forgets a query after two days, and then the fetch begins again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from orchestration.connectors.entries import RestEntry, RestTable
from orchestration.connectors.feeds import Page, Position
from orchestration.connectors.rest import Answer
from orchestration.connectors.timed import TimedFeed
from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.ingest.contracts import Contract

_OBJECTS = {
    "contacts": "Contact",
    "leads": "Lead",
    "accounts": "Account",
    "opportunities": "Opportunity",
    "cases": "Case",
}
TABLES = tuple(_OBJECTS)
_QUERY = "services/data/v61.0/queryAll"
_CHANGED = "SystemModstamp"
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)?")
_NEXT = re.compile(r"/services/data/v[\d.]+/query(All)?/[A-Za-z0-9-]+")


class SalesforceFeed(TimedFeed):
    """One object of a Salesforce organisation."""

    def __init__(self, entry: RestEntry, contract: Contract, table: RestTable) -> None:
        super().__init__(entry, contract, table)
        paths = [*(column.path for column in contract.columns), *table.properties]
        wrong = [path for path in paths if not _FIELD.fullmatch(path)]
        if wrong:
            raise JourneylineError(
                f"{wrong[0]} is no field of Salesforce.",
                f"contract or connector of {contract.label}",
                "Name a field, or one of a related object as Account.Name.",
                EXIT_USAGE,
            )
        self._fields = list(dict.fromkeys([*paths, "Id", _CHANGED]))

    def check(self) -> str:
        """Count the records."""
        query = f"SELECT COUNT() FROM {_OBJECTS[self._entity]}"
        total = self._ask_once(_QUERY, {"q": query}).get("totalSize")
        return f"answers; {total} record(s)"

    def pages(self, plan: Mapping[str, Any], position: Position | None) -> Iterator[Page]:
        """Pages of the query until it is done; see `Feed.pages`."""

        def ask(place: Position) -> tuple[list[str], Position | None]:
            answer = self._page(plan, place)
            lines = answer.records("records")
            return lines, self._next(answer, int(place.get("seen", 0)) + len(lines))

        yield from self._walk(ask, position)

    def _page(self, plan: Mapping[str, Any], place: Position) -> Answer:
        if "next" in place:
            return self._api.get(str(place["next"]).lstrip("/"))
        window = [f"{_CHANGED} < {_literal(plan['started_at'])}"]
        if plan["since"] is not None:
            window.append(f"{_CHANGED} >= {_literal(plan['since'])}")
        query = (
            f"SELECT {', '.join(self._fields)} FROM {_OBJECTS[self._entity]} "
            f"WHERE {' AND '.join(window)} ORDER BY {_CHANGED}, Id"
        )
        return self._api.get(_QUERY, {"q": query})

    def _next(self, answer: Answer, seen: int) -> Position | None:
        body = answer.body
        if body.get("done"):
            total = body.get("totalSize")
            if isinstance(total, int) and seen < total:
                raise _wrong(f"counts {total} records and gave {seen}")
            return None
        # Only the path counts: the secret goes to no other host.
        path = urlsplit(str(body.get("nextRecordsUrl") or "")).path
        if not _NEXT.fullmatch(path):
            raise _wrong("says that there is more, and not where")
        return {"next": path, "seen": seen}


def _literal(instant: str) -> str:
    """An instant as SOQL writes it."""
    at = datetime.fromisoformat(instant).astimezone(UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _wrong(what: str) -> JourneylineError:
    return JourneylineError(
        f"Salesforce's answer {what}.", _QUERY, "Fetch again later; pages taken so far are kept."
    )
