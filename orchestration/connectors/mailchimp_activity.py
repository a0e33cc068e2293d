"""Mailchimp's e-mail activity: batches of report requests, turned into one row per event.

The reports nest events in addresses and spread them over four listings; the contract's rows are
taken out of them here. A report knows a member by the hash of the address only: the members'
listing gives the id that holds across audiences.
"""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from orchestration.connectors.entries import RestEntry, RestTable
from orchestration.connectors.feeds import Page, Position, PositionLost
from orchestration.connectors.mailchimp import next_offset, total_of, utc
from orchestration.connectors.rest import Answer, Api, Refused
from orchestration.connectors.timed import TimedFeed
from orchestration.errors import JourneylineError
from orchestration.ingest.contracts import Contract

_PAGE = 1000
_BATCH = 400
_ATTEMPTS = 4
_MAX_BYTES = 1 << 30
# Report and the name of its records; the first two are asked for only where something is new.
_REPORTS = {
    "email-activity": "emails",
    "sent-to": "sent_to",
    "unsubscribed": "unsubscribes",
    "abuse-reports": "abuse_reports",
}
Operation = dict[str, Any]


class ActivityFeed(TimedFeed):
    """What happened to the mails of the campaigns that were sent within the lookback."""

    def __init__(self, entry: RestEntry, contract: Contract, table: RestTable) -> None:
        super().__init__(entry, contract, table)
        self._count = entry.page_size or _PAGE

    def check(self) -> str:
        """Ask for a campaign."""
        self._ask_once("3.0/campaigns", {"count": 1, "status": "sent"})
        return "answers"

    def pages(self, plan: Mapping[str, Any], position: Position | None) -> Iterator[Page]:
        """Batch after batch; a batch that was asked for before a kill is waited for again."""
        try:
            place: Position | None = position or self._campaigns(plan)
            members: dict[str, str] | None = None
            while place is not None:
                if place["batch"] is None and place["waiting"]:
                    place = {**place, "batch": self._submit(place["waiting"][:_BATCH])}
                    yield Page([], place)
                    continue
                if members is None:
                    members = self._members(place["campaigns"])
                lines, place = self._collect(place, members)
                yield Page(lines, place)
        except Refused as refused:
            raise refused.as_error() from refused

    def _campaigns(self, plan: Mapping[str, Any]) -> Position:
        """The campaigns to ask about, and the first requests about them."""
        params: dict[str, Any] = {"status": "sent", "count": self._count}
        params["fields"] = (
            "campaigns.id,campaigns.recipients.list_id,campaigns.send_time,total_items"
        )
        since = None if plan["since"] is None else utc(plan["since"])
        if since is not None:
            lookback = since - timedelta(days=self._table.lookback_days)
            params["since_send_time"] = lookback.isoformat()
        campaigns: dict[str, list[str | None]] = {}
        for answer in _listing(self._api, "3.0/campaigns", params, "campaigns"):
            for one in answer.body.get("campaigns") or []:
                recipients = one.get("recipients") or {}
                campaigns[str(one["id"])] = [recipients.get("list_id"), one.get("send_time")]
        waiting = [
            self._operation(campaign, report, 0, plan["since"])
            for campaign, (_, sent_at) in campaigns.items()
            for report in _REPORTS
            if report != "sent-to" or since is None or not sent_at or utc(sent_at) >= since
        ]
        return {"campaigns": campaigns, "waiting": waiting, "batch": None, "round": 0}

    def _operation(
        self, campaign: str, report: str, offset: int, since: str | None, total: int | None = None
    ) -> Operation:
        return {
            "campaign": campaign,
            "report": report,
            "offset": offset,
            "since": since if report == "email-activity" else None,
            "total": total,
            "attempt": 1,
        }

    def _submit(self, operations: list[Operation]) -> str:
        asked = []
        for number, one in enumerate(operations):
            params = {"count": str(self._count), "offset": str(one["offset"])}
            if one["since"] is not None:
                params["since"] = one["since"]
            path = f"/reports/{one['campaign']}/{one['report']}"
            told = {"method": "GET", "path": path, "params": params, "operation_id": str(number)}
            asked.append(told)
        return str(self._api.post("3.0/batches", {"operations": asked}).body["id"])

    def _collect(
        self, place: Position, members: Mapping[str, str]
    ) -> tuple[list[str], Position | None]:
        """The rows of a finished batch, and the place with the requests that follow from it."""
        if not place["waiting"]:
            return [], None
        done, later = place["waiting"][:_BATCH], list(place["waiting"][_BATCH:])
        results = self._results(place["batch"])
        lines: list[str] = []
        for number, operation in enumerate(done):
            status, answer = results.get(str(number), (500, None))
            if status == 404:
                continue
            if status >= 400 or answer is None:
                if operation["attempt"] >= _ATTEMPTS:
                    raise JourneylineError(
                        f"A request of the batch kept answering {status}.",
                        f"reports/{operation['campaign']}/{operation['report']}",
                        "Fetch again later; rows taken so far are kept.",
                    )
                later.append({**operation, "attempt": operation["attempt"] + 1})
                continue
            records = answer.body.get(_REPORTS[operation["report"]]) or []
            rows = _rows(operation, records, place["campaigns"], members)
            lines += [json.dumps(row, ensure_ascii=False) for row in rows]
            total = total_of(answer, operation["report"])
            offset = next_offset(
                operation["report"], operation["offset"], len(records), total, operation["total"]
            )
            if offset is not None:
                later.append({**operation, "offset": offset, "total": total, "attempt": 1})
        follows = {**place, "waiting": later, "batch": None, "round": place["round"] + 1}
        return lines, follows if later else None

    def _results(self, batch: str) -> dict[str, tuple[int, Answer | None]]:
        """Status and answer of each request of a batch, once the vendor has finished it."""
        try:
            url = self._finished(batch)
            packed = self._api.download(url)
        except Refused as refused:
            raise PositionLost(f"the batch is not known any more ({refused.status})") from refused
        results: dict[str, tuple[int, Answer | None]] = {}
        try:
            for text in _unpack(packed):
                for one in json.loads(text):
                    body = str(one["response"])
                    answer = Answer(body, json.loads(body)) if one["status_code"] < 400 else None
                    results[str(one["operation_id"])] = (int(one["status_code"]), answer)
        except (tarfile.TarError, OSError, EOFError, ValueError, KeyError, TypeError) as error:
            raise PositionLost(f"the batch's answer is broken: {type(error).__name__}") from error
        return results

    def _finished(self, batch: str) -> str:
        for number in range(self._entry.poll_limit):
            if number:
                time.sleep(self._entry.poll_seconds)
            body = self._api.get(f"3.0/batches/{batch}").body
            if body.get("status") == "finished":
                return str(body["response_body_url"])
        raise JourneylineError(
            "The vendor has not finished the batch of reports.",
            f"3.0/batches/{batch}",
            "Fetch again later: the same batch is waited for.",
        )

    def _members(self, campaigns: Mapping[str, list[str | None]]) -> dict[str, str]:
        """The id across audiences of each member, by audience and id within it."""
        fields = {"fields": "members.id,members.unique_email_id,total_items", "count": self._count}
        found = {}
        for audience in sorted({one[0] for one in campaigns.values() if one[0]}):
            path = f"3.0/lists/{audience}/members"
            for answer in _listing(self._api, path, fields, "members"):
                for one in answer.body.get("members") or []:
                    found[f"{audience}/{one['id']}"] = str(one["unique_email_id"])
        return found


def _listing(api: Api, path: str, params: Mapping[str, Any], name: str) -> Iterator[Answer]:
    offset: int | None = 0
    total = None
    while offset is not None:
        answer = api.get(path, {**params, "offset": offset})
        now = total_of(answer, path)
        count = len(answer.body.get(name) or [])
        yield answer
        offset, total = next_offset(path, offset, count, now, total), now


def _rows(
    operation: Operation,
    records: list[dict[str, Any]],
    campaigns: Mapping[str, list[str | None]],
    members: Mapping[str, str],
) -> Iterator[dict[str, Any]]:
    audience, sent_at = campaigns[operation["campaign"]]
    for record in records:
        list_id = record.get("list_id") or audience
        shared = {
            "campaign_id": operation["campaign"],
            "list_id": list_id,
            "email_id": record.get("email_id"),
            "unique_email_id": members.get(f"{list_id}/{record.get('email_id')}"),
            "email_address": record.get("email_address"),
        }
        for action, kind, url, at in _events(operation["report"], record, sent_at):
            yield {**shared, "action": action, "type": kind, "url": url, "timestamp": at}


def _events(
    report: str, record: dict[str, Any], sent_at: str | None
) -> Iterator[tuple[str | None, str | None, str | None, str | None]]:
    if report == "email-activity":
        for one in record.get("activity") or []:
            yield one.get("action"), one.get("type"), one.get("url"), one.get("timestamp")
    elif report == "sent-to":
        yield "sent", None, None, sent_at
    elif report == "unsubscribed":
        yield "unsub", None, None, record.get("timestamp")
    else:
        yield "abuse", None, None, record.get("date")


def _unpack(packed: bytes) -> Iterator[bytes]:
    """The JSON files in the archive that a batch answers with."""
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
        size = 0
        for member in archive:
            size += member.size
            if size > _MAX_BYTES:
                raise ValueError("the archive is too large")
            file = archive.extractfile(member) if member.isfile() else None
            if file is not None and member.name.endswith(".json"):
                yield file.read()
