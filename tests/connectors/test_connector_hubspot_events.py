"""HubSpot's Marketing e-mail events over REST, up to the raw table."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fetch_home import NIGHT, PATIENCE, fetch, landed_records, project_with
from hubspot_mails import EmailLog
from local_api import failing

from orchestration import warehouse
from orchestration.connectors.run import check_tables
from orchestration.errors import JourneylineError
from orchestration.ingest.loader import load_deliveries
from orchestration.settings import Settings

SENT_AT = datetime(2025, 3, 1, 9, tzinfo=UTC)


def event(kind: str, minutes: int = 0, **more: Any) -> dict[str, Any]:
    at = int((SENT_AT + timedelta(minutes=minutes)).timestamp() * 1000)
    return {
        "id": f"{kind.lower()}-{minutes}",
        "created": at,
        "type": kind,
        "recipient": "ada@example.org",
        "emailCampaignId": 77,
        "portalId": 1,
        **more,
    }


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmailLog]:
    monkeypatch.setenv("HUBSPOT_TOKEN", "pat-123")
    vendor = EmailLog()
    yield vendor
    vendor.api.close()


def project(folder: Path, log: EmailLog, **changes: Any) -> Settings:
    entry = {
        "kind": "hubspot",
        "url": log.api.url,
        "auth": {"kind": "bearer", "token_from": "HUBSPOT_TOKEN"},
        "retry": PATIENCE,
        "tables": {"email_events": {}},
    }
    return project_with(folder, "hubspot", {**entry, **changes})


def test_all_events_come_page_after_page_and_are_typed(tmp_path: Path, log: EmailLog) -> None:
    log.events = [event("SENT"), *(event("OPEN", n) for n in range(1, 5))]
    log.events += [event("STATUSCHANGE", 9, portalSubscriptionStatus="UNSUBSCRIBED")]
    settings = project(tmp_path, log, page_size=2)
    done = fetch(settings, "hubspot/email_events")
    assert (done.records, done.pages) == (6, 3)
    report = load_deliveries(settings, None)
    assert (report.accepted, report.quarantined) == (6, 0)
    connection = warehouse.connect(settings.warehouse, read_only=True)
    first = connection.execute(
        "select action, email, campaign_id, occurred_at::text, status"
        " from raw.hubspot__email_events where action in ('SENT', 'STATUSCHANGE') order by all"
    ).fetchall()
    connection.close()
    assert first == [
        ("SENT", "ada@example.org", "77", "2025-03-01 09:00:00", None),
        ("STATUSCHANGE", "ada@example.org", "77", "2025-03-01 09:09:00", "UNSUBSCRIBED"),
    ]


def test_a_later_fetch_asks_for_what_came_since_with_the_overlap_and_nothing_counts_twice(
    tmp_path: Path, log: EmailLog
) -> None:
    begun = int((NIGHT - SENT_AT).total_seconds() / 60)
    log.events = [event("SENT"), event("OPEN", begun - 5)]
    settings = project(tmp_path, log)
    fetch(settings, "hubspot/email_events")
    # What happens while a fetch runs is of the next one.
    log.events.append(event("CLICK", begun + 30))
    assert fetch(settings, "hubspot/email_events", NIGHT + timedelta(hours=1)).records == 2
    assert [one["type"] for one in landed_records(settings)] == ["OPEN", "SENT", "CLICK", "OPEN"]
    report = load_deliveries(settings, None)
    assert (report.accepted, report.duplicates) == (3, 1)


def test_a_fetch_goes_on_after_the_last_page_and_begins_again_where_the_offset_is_lost(
    tmp_path: Path, log: EmailLog
) -> None:
    log.events = [event("OPEN", n) for n in range(6)]
    settings = project(tmp_path, log, page_size=2, retry={**PATIENCE, "attempts": 1})
    log.api.faults = {2: failing(500)}
    with pytest.raises(JourneylineError, match="kept answering 500"):
        fetch(settings, "hubspot/email_events")
    log.generation = 1
    told: list[str] = []
    done = fetch(settings, "hubspot/email_events", told=told.append)
    assert any("not valid any more" in line for line in told)
    assert done.was_resumed
    assert sorted(one["id"] for one in landed_records(settings)) == [f"open-{n}" for n in range(6)]


def test_the_check_asks_for_one_event_and_loads_nothing(tmp_path: Path, log: EmailLog) -> None:
    settings = project(tmp_path, log)
    (checked,) = check_tables(settings, ["hubspot"], lambda line: None)
    assert checked.state == "ready"
    assert [asked.args for asked in log.api.asked] == [{"limit": "1"}]
    assert not settings.landing.exists()
