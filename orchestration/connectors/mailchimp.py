"""Mailchimp: members and campaigns by offset paging; what happened to each mail is in a sibling.

A record that leaves the listing while it is paged lets the rest move up: where the total shrinks,
the next page begins that much earlier, so that nothing is skipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from orchestration.connectors.feeds import Page, Position
from orchestration.connectors.raw_json import with_member
from orchestration.connectors.rest import Answer, Api, Refused
from orchestration.connectors.timed import TimedFeed
from orchestration.errors import JourneylineError

TABLES = ("members", "campaigns", "email_activity")
_PAGE = 1000


class MailchimpFeed(TimedFeed):
    """Members that changed since the last fetch, or all campaigns, of a Mailchimp account."""

    def check(self) -> str:
        """Ask for the account's lists."""
        total = self._ask_once("3.0/lists", {"count": 1}).get("total_items")
        return f"answers; {total} audience(s)"

    def pages(self, plan: Mapping[str, Any], position: Position | None) -> Iterator[Page]:
        """Pages of the listing; see `Feed.pages`."""
        place: Position | None = position
        try:
            if place is None:
                lists = list_ids(self._api) if self._entity == "members" else []
                place = {"lists": lists, "offset": 0}
            while place is not None:
                if self._entity == "members" and not place["lists"]:
                    yield Page([], None)
                    return
                page = self._page(plan, place)
                yield page
                place = page.position
        except Refused as refused:
            raise refused.as_error() from refused

    def _page(self, plan: Mapping[str, Any], place: Position) -> Page:
        path = "3.0/campaigns"
        params: dict[str, Any] = {"exclude_fields": "campaigns._links,_links"}
        if self._entity == "members":
            path = f"3.0/lists/{place['lists'][0]}/members"
            params = {
                "exclude_fields": "members._links,_links",
                "before_last_changed": plan["started_at"],
            }
            if plan["since"] is not None:
                params["since_last_changed"] = plan["since"]
        params |= {"offset": place["offset"], "count": self._entry.page_size or _PAGE}
        answer = self._api.get(path, params)
        lines = answer.records(self._entity)
        if self._entity == "campaigns":
            found = zip(lines, answer.body["campaigns"], strict=True) if lines else []
            lines = [_with_update_time(line, record) for line, record in found]
        total = total_of(answer, path)
        offset = next_offset(path, place["offset"], len(lines), total, place.get("total"))
        if offset is not None:
            return Page(lines, {"lists": place["lists"], "offset": offset, "total": total})
        rest = place["lists"][1:]
        return Page(lines, {"lists": rest, "offset": 0} if rest else None)


def _with_update_time(line: str, record: dict[str, Any]) -> str:
    """A campaign with the time of its newest step, by which the contract orders versions."""
    newest = record.get("send_time") or record.get("create_time")
    if record.get("update_time") or not newest:
        return line
    return with_member(line, "update_time", newest)


def list_ids(api: Api) -> list[str]:
    """The audiences of the account."""
    found: list[str] = []
    offset: int | None = 0
    total = None
    while offset is not None:
        params = {"fields": "lists.id,total_items", "offset": offset, "count": _PAGE}
        answer = api.get("3.0/lists", params)
        ids = [str(one["id"]) for one in answer.body.get("lists") or []]
        found += [one for one in ids if one not in found]
        now = total_of(answer, "3.0/lists")
        offset, total = next_offset("3.0/lists", offset, len(ids), now, total), now
    return found


def total_of(answer: Answer, path: str) -> int:
    """How many records the listing has in all.

    Raises:
        JourneylineError: The answer does not say.
    """
    total = answer.body.get("total_items")
    if not isinstance(total, int):
        raise JourneylineError(
            "The API's answer does not say how many records there are.",
            path,
            "Look whether the entry's url is right.",
        )
    return total


def next_offset(
    path: str, offset: int, count: int, total: int, total_before: int | None
) -> int | None:
    """Where the next page begins; earlier than this one ended where the total has shrunk.

    Args:
        path: The listing, for an error.
        offset: Where this page began.
        count: Records on it.
        total: Records in all, as this page counts them.
        total_before: The same as the page before counted them; None on the first page.

    Returns:
        The offset; None where this was the last page.

    Raises:
        JourneylineError: The listing counts more records than it gives.
    """
    lost = 0 if total_before is None else total_before - total
    if lost > 0 and offset > 0:
        return max(0, offset - lost)
    if offset + count >= total:
        return None
    if count == 0:
        raise JourneylineError(
            f"The API counts {total} records and stops giving them at {offset}.",
            path,
            "Fetch again later; pages taken so far are kept.",
        )
    return offset + count


def utc(text: str) -> datetime:
    """An instant as the API writes it."""
    instant = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant
