"""Zendesk over REST: exports by cursor and by time, and everything an API can do wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fetch_home import NIGHT, PATIENCE, fetch, landed_records, landed_text, project_with
from local_api import BusyUntil, cut_off, failing, stalling, status
from zendesk_api import Zendesk

from orchestration.connectors.keeping import alone, forget_rows, read_cursor
from orchestration.errors import JourneylineError
from orchestration.ingest.landing import list_deliveries
from orchestration.settings import REPO_ROOT, Settings


def ticket(number: int, minute: int, **changes: object) -> dict[str, Any]:
    return {
        "id": number,
        "subject": f"Übergröße {number}\n",
        "status": "open",
        "updated_at": f"2025-03-03T10:{minute:02}:00Z",
        **changes,
    }


@pytest.fixture
def zendesk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Zendesk]:
    monkeypatch.setenv("ZENDESK_TOKEN", "s3cret")
    vendor = Zendesk()
    vendor.tables["tickets"] = [ticket(n, n) for n in range(8)]
    yield vendor
    vendor.api.close()


def project(folder: Path, vendor: Zendesk, *tables: str, **changes: object) -> Settings:
    auth = {"kind": "basic", "user": "desk@example.com/token", "password_from": "ZENDESK_TOKEN"}
    entry = {
        "kind": "zendesk",
        "url": vendor.api.url,
        "auth": auth,
        "retry": PATIENCE,
        "tables": {table: {} for table in tables or ("tickets",)},
        **changes,
    }
    return project_with(folder, "zendesk", entry)


def test_pages_follow_the_cursor_to_the_end_and_land_as_one_delivery(
    tmp_path: Path, zendesk: Zendesk
) -> None:
    settings = project(tmp_path, zendesk)
    done = fetch(settings, "zendesk/tickets")
    assert (done.records, done.pages, done.is_new) == (8, 3, True)
    assert [record["id"] for record in landed_records(settings)] == list(range(8))
    assert "start_time" in zendesk.api.asked[0].args
    assert all(set(asked.args) == {"cursor", "per_page"} for asked in zendesk.api.asked[1:])


def test_records_are_landed_as_answered_not_as_parsed(tmp_path: Path, zendesk: Zendesk) -> None:
    text = '{"id": 12345678901234567890.50, "n": 1E+2,\r\n "s": "\\u00fc\\n", "a": [ 1 , 2 ]}'
    body = f'{{"end_of_stream": true, "tickets": [{text}]}}'
    zendesk.api.faults[1] = lambda request: status(200, body)
    settings = project(tmp_path, zendesk)
    fetch(settings, "zendesk/tickets")
    assert landed_text(settings) == text.replace("\r\n", "  ") + "\n"


def test_the_next_fetch_overlaps_and_a_night_without_news_lands_nothing(
    tmp_path: Path, zendesk: Zendesk
) -> None:
    settings = project(tmp_path, zendesk)
    fetch(settings, "zendesk/tickets")
    again = fetch(settings, "zendesk/tickets", NIGHT + timedelta(days=1))
    assert (again.records, again.deliveries) == (0, ())
    start = NIGHT - timedelta(minutes=15)
    assert zendesk.api.asked[-1].args["start_time"] == str(int(start.timestamp()))
    zendesk.tables["tickets"].append(ticket(1, 0, updated_at="2025-03-05T01:50:00Z"))
    third = fetch(settings, "zendesk/tickets", NIGHT + timedelta(days=2))
    assert (third.records, third.is_new) == (1, True)


@pytest.mark.parametrize("fault", [failing(500), failing(503), stalling(0.8), cut_off])
def test_a_passing_fault_is_waited_out(tmp_path: Path, zendesk: Zendesk, fault: Any) -> None:
    zendesk.api.faults[2] = fault
    settings = project(tmp_path, zendesk, retry={**PATIENCE, "timeout_seconds": 0.4})
    assert fetch(settings, "zendesk/tickets").records == 8
    assert len(zendesk.api.asked) == 4


def test_a_rate_limit_is_waited_for_as_long_as_it_says(tmp_path: Path, zendesk: Zendesk) -> None:
    busy = BusyUntil(1)
    zendesk.api.faults |= {1: busy, 2: busy.then}
    settings = project(tmp_path, zendesk)
    assert fetch(settings, "zendesk/tickets").records == 8
    assert busy.early == 0


def test_a_lasting_fault_keeps_the_pages_and_the_next_fetch_goes_on(
    tmp_path: Path, zendesk: Zendesk
) -> None:
    zendesk.api.faults |= {number: failing(500) for number in range(2, 6)}
    settings = project(tmp_path, zendesk)
    with pytest.raises(JourneylineError, match="kept answering 500"):
        fetch(settings, "zendesk/tickets")
    assert list_deliveries(settings) == []
    done = fetch(settings, "zendesk/tickets")
    assert done.was_resumed
    assert zendesk.api.asked[5].args["cursor"].endswith("-3")
    assert [record["id"] for record in landed_records(settings)] == list(range(8))


def test_the_rows_of_a_fetch_under_way_can_be_forgotten(tmp_path: Path, zendesk: Zendesk) -> None:
    zendesk.api.faults |= {number: failing(500) for number in range(2, 6)}
    settings = project(tmp_path, zendesk)
    with pytest.raises(JourneylineError):
        fetch(settings, "zendesk/tickets")
    folder = settings.connectors / "zendesk" / "tickets"
    assert "subject" in (folder / "fetching" / "records.ndjson").read_text(encoding="utf-8")
    with alone(folder), pytest.raises(JourneylineError, match="is fetching this table"):
        forget_rows(settings)
    assert forget_rows(settings) == ["zendesk/tickets"]
    assert [path.name for path in folder.iterdir()] == [".lock"]
    done = fetch(settings, "zendesk/tickets")
    assert (done.was_resumed, done.records) == (False, 8)


def test_an_expired_cursor_begins_the_fetch_again(tmp_path: Path, zendesk: Zendesk) -> None:
    zendesk.api.faults |= {3: failing(410)}
    settings = project(tmp_path, zendesk)
    assert fetch(settings, "zendesk/tickets").records == 8
    assert [record["id"] for record in landed_records(settings)] == list(range(8))


def test_a_cursor_that_is_never_valid_ends_with_an_error(tmp_path: Path, zendesk: Zendesk) -> None:
    zendesk.api.faults |= {number: failing(410) for number in range(2, 20, 2)}
    settings = project(tmp_path, zendesk)
    with pytest.raises(JourneylineError, match="lost the place to go on from 4 times"):
        fetch(settings, "zendesk/tickets")


def test_pages_that_go_in_a_circle_are_noticed(tmp_path: Path, zendesk: Zendesk) -> None:
    page = '{"tickets": [{"id": %d}], "after_cursor": "%s", "end_of_stream": false}'
    for number in range(1, 9):
        text = page % (number, "ab"[number % 2])
        zendesk.api.faults[number] = lambda request, text=text: status(200, text)
    settings = project(tmp_path, zendesk)
    with pytest.raises(JourneylineError, match="go in a circle"):
        fetch(settings, "zendesk/tickets")
    assert list_deliveries(settings) == []
    zendesk.api.faults.clear()
    assert fetch(settings, "zendesk/tickets").records == 8


def test_pages_without_end_are_noticed(tmp_path: Path, zendesk: Zendesk) -> None:
    page = '{"tickets": [{"id": 1}], "after_cursor": "%d", "end_of_stream": false}'
    for number in range(1, 20):
        text = page % number
        zendesk.api.faults[number] = lambda request, text=text: status(200, text)
    settings = project(tmp_path, zendesk)
    with pytest.raises(JourneylineError, match="have no end"):
        fetch(settings, "zendesk/tickets")


def test_a_page_that_comes_twice_is_kept_once(tmp_path: Path, zendesk: Zendesk) -> None:
    first = '{"tickets": [{"id": 1}, {"id": 2}], "after_cursor": "%s", "end_of_stream": false}'
    zendesk.api.faults |= {
        1: lambda request: status(200, first % "x"),
        2: lambda request: status(200, first % "y"),
        3: lambda request: status(200, '{"tickets": [{"id": 3}], "end_of_stream": true}'),
    }
    settings = project(tmp_path, zendesk)
    fetch(settings, "zendesk/tickets")
    assert [record["id"] for record in landed_records(settings)] == [1, 2, 3]


def test_a_wrong_secret_is_an_error_that_does_not_tell_it(
    tmp_path: Path, zendesk: Zendesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZENDESK_TOKEN", "wr0ng")
    settings = project(tmp_path, zendesk)
    with pytest.raises(JourneylineError, match="does not let us in") as raised:
        fetch(settings, "zendesk/tickets")
    assert "wr0ng" not in str(raised.value)
    kept = [p.read_text() for p in settings.home.rglob("*") if p.is_file()]
    assert kept and not any("wr0ng" in text for text in kept)


def test_a_missing_secret_is_an_error_of_configuration(
    tmp_path: Path, zendesk: Zendesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ZENDESK_TOKEN")
    with pytest.raises(JourneylineError, match="ZENDESK_TOKEN is not set") as raised:
        fetch(project(tmp_path, zendesk), "zendesk/tickets")
    assert raised.value.exit_code == 2


def test_a_redirect_is_not_followed_with_the_secret(tmp_path: Path, zendesk: Zendesk) -> None:
    elsewhere = f"{zendesk.api.url}/elsewhere"
    zendesk.api.faults[1] = lambda request: status(302, Location=elsewhere)
    with pytest.raises(JourneylineError, match="sends us elsewhere"):
        fetch(project(tmp_path, zendesk), "zendesk/tickets")
    assert len(zendesk.api.asked) == 1


def test_child_events_become_changes_and_comments(tmp_path: Path, zendesk: Zendesk) -> None:
    created = {"id": 10, "event_type": "Create", "via": "Web", "status": "new", "priority": None}
    comment = {"id": 11, "event_type": "Comment", "body": "Hi", "public": True, "author_id": 7}
    change = {"id": 12, "event_type": "Change", "status": "open", "previous_value": "new"}
    shared = {"ticket_id": 5, "updater_id": 7, "via": "Web", "event_type": "Audit"}
    zendesk.tables["ticket_events"] = [
        {"id": 1, "created_at": "2025-03-03T10:00:00Z", "child_events": [created, comment]},
        {"id": 2, "created_at": "2025-03-03T11:00:00Z", "child_events": [change]},
        {"id": 3, "created_at": "2025-03-03T12:00:00Z", "child_events": []},
    ]
    for event in zendesk.tables["ticket_events"]:
        event.update(shared)
    zendesk.page = 2
    settings = project(tmp_path, zendesk, "ticket_events", "comments")
    fetch(settings, "zendesk/ticket_events")
    rows = landed_records(settings)
    told = [(r["id"], r["event_type"], r["field_name"], r["value"]) for r in rows]
    assert told == [
        (10, "Create", "status", "new"),
        ("10:priority", "Create", "priority", None),
        (12, "Change", "status", "open"),
    ]
    assert rows[2]["previous_value"] == "new"
    fetch(settings, "zendesk/comments")
    (row,) = [record for record in landed_records(settings) if "body" in record]
    assert (row["id"], row["ticket_id"], row["author_id"], row["body"]) == (11, 5, 7, "Hi")
    assert (row["via"], row["public"]) == ({"channel": "Web"}, True)


def test_an_event_that_tells_its_time_in_seconds_has_it(tmp_path: Path, zendesk: Zendesk) -> None:
    change = {"id": 12, "event_type": "Change", "status": "open", "previous_value": "new"}
    event = {"id": 4, "ticket_id": 5, "timestamp": 1741006800, "child_events": [change]}
    zendesk.api.faults[1] = lambda request: {"ticket_events": [event], "end_of_stream": True}
    settings = project(tmp_path, zendesk, "ticket_events")
    fetch(settings, "zendesk/ticket_events")
    assert landed_records(settings)[0]["created_at"] == "2025-03-03T13:00:00+00:00"


def test_lists_are_taken_by_pages_and_ratings_looked_back_for(
    tmp_path: Path, zendesk: Zendesk
) -> None:
    zendesk.tables["groups"] = [{"id": n} for n in range(7)]
    zendesk.tables["satisfaction_ratings"] = [{"id": 1, "created_at": "2025-02-20T10:00:00Z"}]
    settings = project(tmp_path, zendesk, "groups", "satisfaction_ratings")
    assert fetch(settings, "zendesk/groups").records == 7
    assert fetch(settings, "zendesk/satisfaction_ratings").records == 1
    zendesk.tables["satisfaction_ratings"][0]["score"] = "good"
    later = fetch(settings, "zendesk/satisfaction_ratings", NIGHT + timedelta(days=1))
    assert later.is_new


KILLED_AT = ["after 2 pages", "before the landing", "before the cursor"]


@pytest.mark.parametrize("place", KILLED_AT)
def test_a_killed_fetch_is_completed_and_nothing_lands_twice(
    tmp_path: Path, zendesk: Zendesk, place: str
) -> None:
    settings = project(tmp_path, zendesk)
    reached = threading.Event()
    if place == KILLED_AT[0]:
        zendesk.api.faults[3] = lambda request: (reached.set(), threading.Event().wait(20))[1]
    stop = "orchestration.connectors.fetching." + (
        "land_once" if place == KILLED_AT[1] else "write_cursor"
    )
    program = f"""
import os, signal, sys
from unittest import mock
from orchestration.cli.main import main
def die(*arguments): os.kill(os.getpid(), signal.SIGKILL)
with mock.patch({stop!r}, die): main(["sources", "fetch", "zendesk/tickets"])
"""
    environment = {
        **os.environ,
        "JOURNEYLINE_HOME": str(settings.home),
        "JOURNEYLINE_PROJECT": str(settings.repo_root),
        "PYTHONPATH": str(REPO_ROOT),
    }
    process = subprocess.Popen([sys.executable, "-c", program], env=environment)
    if place == KILLED_AT[0]:
        assert reached.wait(60)
        process.send_signal(signal.SIGKILL)
    assert process.wait(60) == -signal.SIGKILL
    folder = settings.connectors / "zendesk" / "tickets"
    assert read_cursor(folder) is None and (folder / "fetching").exists()
    asked = len(zendesk.api.asked)
    done = fetch(settings, "zendesk/tickets")
    assert done.was_resumed
    assert [record["id"] for record in landed_records(settings)] == list(range(8))
    assert len(list_deliveries(settings)) == 1
    assert [p.name for p in folder.iterdir() if p.name != ".lock"] == ["cursor.json"]
    again = zendesk.api.asked[asked].args
    assert ("cursor" in again) == (place == KILLED_AT[0])
