"""Mailchimp over REST: offset paging, shrinking totals, batch reports."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fetch_home import NIGHT, PATIENCE, fetch, landed_records, project_with
from local_api import failing
from mailchimp_api import Mailchimp

from orchestration.errors import JourneylineError
from orchestration.settings import Settings

SENT = "2025-03-03T09:00:00+00:00"


def member(number: int, changed: str = "2025-03-03T10:00:00+00:00") -> dict[str, Any]:
    return {"id": f"h{number}", "unique_email_id": f"u{number}", "last_changed": changed}


@pytest.fixture
def mailchimp(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailchimp]:
    monkeypatch.setenv("MAILCHIMP_KEY", "key-us1")
    vendor = Mailchimp()
    vendor.listings["lists"] = [{"id": "l1"}, {"id": "l2"}]
    vendor.listings["lists/l1/members"] = [member(n) for n in range(5)]
    vendor.listings["lists/l2/members"] = [member(n) for n in range(10, 12)]
    yield vendor
    vendor.api.close()


def project(folder: Path, vendor: Mailchimp, table: str, **changes: Any) -> Settings:
    entry = {
        "kind": "mailchimp",
        "url": vendor.api.url,
        "auth": {"kind": "basic", "user": "any", "password_from": "MAILCHIMP_KEY"},
        "retry": PATIENCE,
        "page_size": 2,
        "poll_seconds": 0.01,
        "tables": {table: {}},
        **changes,
    }
    return project_with(folder, "mailchimp", entry)


def test_members_of_every_audience_are_paged_by_offset(
    tmp_path: Path, mailchimp: Mailchimp
) -> None:
    settings = project(tmp_path, mailchimp, "members")
    assert fetch(settings, "mailchimp/members").records == 7
    assert [one["id"] for one in landed_records(settings)] == [
        *(f"h{n}" for n in range(5)),
        "h10",
        "h11",
    ]
    later = (NIGHT + timedelta(hours=1)).isoformat()
    mailchimp.listings["lists/l1/members"][0]["last_changed"] = later
    assert fetch(settings, "mailchimp/members", NIGHT + timedelta(days=1)).records == 1


def test_a_total_that_shrinks_hides_no_record(tmp_path: Path, mailchimp: Mailchimp) -> None:
    members = mailchimp.listings["lists/l1/members"]
    settings = project(tmp_path, mailchimp, "members")

    def two_leave(request: Any) -> None:
        for one in members[:2]:
            one["last_changed"] = (NIGHT + timedelta(minutes=1)).isoformat()

    mailchimp.api.faults[3] = two_leave
    fetch(settings, "mailchimp/members")
    seen = {one["id"] for one in landed_records(settings)}
    assert seen >= {f"h{n}" for n in range(5)}


def test_a_listing_that_counts_more_than_it_gives_is_an_error(
    tmp_path: Path, mailchimp: Mailchimp
) -> None:
    settings = project(tmp_path, mailchimp, "members")
    mailchimp.api.faults[3] = lambda request: {"members": [], "total_items": 5}
    with pytest.raises(JourneylineError, match="counts 5 records and stops giving them at 2"):
        fetch(settings, "mailchimp/members")
    assert fetch(settings, "mailchimp/members").was_resumed
    assert len(landed_records(settings)) == 7


def test_campaigns_are_listed_whole_each_time_and_landed_when_changed(
    tmp_path: Path, mailchimp: Mailchimp
) -> None:
    created = {"id": "c1", "emails_sent": 1, "send_time": "", "create_time": SENT}
    mailchimp.listings["campaigns"] = [created]
    settings = project(tmp_path, mailchimp, "campaigns")
    assert fetch(settings, "mailchimp/campaigns").is_new
    assert not fetch(settings, "mailchimp/campaigns", NIGHT + timedelta(days=1)).is_new
    mailchimp.listings["campaigns"][0]["emails_sent"] = 2
    assert fetch(settings, "mailchimp/campaigns", NIGHT + timedelta(days=2)).is_new
    # The API tells no time of change, by which the contract orders versions.
    assert landed_records(settings)[0] == {**created, "emails_sent": 1, "update_time": SENT}


@pytest.fixture
def reports(mailchimp: Mailchimp) -> Mailchimp:
    def about(number: int, **more: Any) -> dict[str, Any]:
        return {"email_id": f"h{number}", "email_address": f"p{number}@example.com", **more}

    opened = {"action": "open", "timestamp": "2025-03-03T10:00:00+00:00", "ip": "127.0.0.1"}
    clicked = {"action": "click", "url": "https://x", "timestamp": "2025-03-03T10:01:00+00:00"}
    bounced = {"action": "bounce", "type": "hard", "timestamp": SENT}
    mailchimp.listings |= {
        "campaigns": [{"id": "c1", "recipients": {"list_id": "l1"}, "send_time": SENT}],
        "reports/c1/email-activity": [
            about(0, activity=[opened, clicked]),
            about(1, activity=[bounced]),
            about(2, activity=[]),
        ],
        "reports/c1/sent-to": [about(n, status="sent") for n in range(3)],
        "reports/c1/unsubscribed": [about(0, timestamp="2025-03-03T11:00:00+00:00")],
        "reports/c1/abuse-reports": [about(9, date="2025-03-03T12:00:00+00:00")],
    }
    return mailchimp


EVENTS = [
    # The member left the audience: nothing but the hash of an address is known.
    ("abuse", None, None),
    ("bounce", "u1", "hard"),
    ("click", "u0", None),
    ("open", "u0", None),
    ("sent", "u0", None),
    ("sent", "u1", None),
    ("sent", "u2", None),
    ("unsub", "u0", None),
]


def events(settings: Settings) -> list[tuple[str, str | None, str | None]]:
    rows = landed_records(settings)
    assert {row["campaign_id"] for row in rows} == {"c1"}
    told = [(row["action"], row["unique_email_id"], row["type"]) for row in rows]
    return sorted(told, key=lambda one: (one[0], one[1] or ""))


def test_reports_come_in_batches_and_become_one_row_per_event(
    tmp_path: Path, reports: Mailchimp
) -> None:
    settings = project(tmp_path, reports, "email_activity")
    fetch(settings, "mailchimp/email_activity")
    assert events(settings) == EVENTS
    assert len(reports.batches) == 2
    (click,) = [row for row in landed_records(settings) if row["action"] == "click"]
    assert (click["url"], click["list_id"]) == ("https://x", "l1")


def test_a_request_of_a_batch_that_fails_is_asked_again(tmp_path: Path, reports: Mailchimp) -> None:
    reports.failing_operations = [0, 2]
    settings = project(tmp_path, reports, "email_activity")
    fetch(settings, "mailchimp/email_activity")
    assert events(settings) == EVENTS


def test_a_batch_is_waited_for_by_the_next_fetch(tmp_path: Path, reports: Mailchimp) -> None:
    reports.polls = 4
    settings = project(tmp_path, reports, "email_activity", poll_limit=3)
    with pytest.raises(JourneylineError, match="has not finished the batch"):
        fetch(settings, "mailchimp/email_activity")
    count = len(reports.batches)
    assert fetch(settings, "mailchimp/email_activity").was_resumed
    assert sorted(set(events(settings)), key=str) == sorted(EVENTS, key=str)
    assert reports.batches[count:][0][0]["params"]["offset"] == "2"


def test_a_batch_whose_answer_is_over_is_asked_for_again(
    tmp_path: Path, reports: Mailchimp
) -> None:
    settings = project(tmp_path, reports, "email_activity")
    # Campaigns, the batch, three pages of members and three polls come before the archive.
    reports.api.faults[9] = failing(403)
    fetch(settings, "mailchimp/email_activity")
    assert events(settings) == EVENTS
    assert len(reports.batches) == 3
