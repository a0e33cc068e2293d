"""Pipedrive and Intercom over REST: cursor and search paging, what changed since."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fetch_home import NIGHT, PATIENCE, fetch, landed_records, project_with
from local_api import failing
from vendor_apis import Intercom, Pipedrive, fixture

from orchestration.connectors.run import check_tables
from orchestration.errors import JourneylineError
from orchestration.ingest.loader import load_deliveries
from orchestration.settings import Settings

INTERCOM = ("contacts", "conversations", "conversation_parts")


@pytest.fixture
def pipedrive(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipedrive]:
    monkeypatch.setenv("PIPEDRIVE_TOKEN", "pd-1")
    vendor = Pipedrive()
    vendor.persons = fixture("pipedrive", "persons")
    vendor.deals = fixture("pipedrive", "deals")
    yield vendor
    vendor.api.close()


@pytest.fixture
def intercom(monkeypatch: pytest.MonkeyPatch) -> Iterator[Intercom]:
    monkeypatch.setenv("INTERCOM_TOKEN", "ic-1")
    vendor = Intercom()
    vendor.records = {t: fixture("intercom", t) for t in INTERCOM}
    yield vendor
    vendor.api.close()


def of_pipedrive(folder: Path, vendor: Pipedrive, **changes: Any) -> Settings:
    entry = {
        "kind": "pipedrive",
        "url": vendor.api.url,
        "auth": {"kind": "header", "name": "x-api-token", "token_from": "PIPEDRIVE_TOKEN"},
        "retry": PATIENCE,
        "tables": {"persons": {}, "deals": {}},
    }
    return project_with(folder, "pipedrive", {**entry, **changes}, enabled=True)


def of_intercom(folder: Path, vendor: Intercom, **changes: Any) -> Settings:
    entry = {
        "kind": "intercom",
        "url": vendor.api.url,
        "auth": {"kind": "bearer", "token_from": "INTERCOM_TOKEN"},
        "retry": PATIENCE,
        "tables": {table: {} for table in INTERCOM},
    }
    return project_with(folder, "intercom", {**entry, **changes}, enabled=True)


def test_persons_come_page_after_page_with_the_token_in_the_api_s_own_header(
    tmp_path: Path, pipedrive: Pipedrive
) -> None:
    settings = of_pipedrive(tmp_path, pipedrive, page_size=1)
    done = fetch(settings, "pipedrive/persons")
    assert (done.records, done.pages) == (2, 2)
    assert landed_records(settings) == fixture("pipedrive", "persons")
    report = load_deliveries(settings, None)
    assert (report.accepted, report.quarantined) == (2, 0)


def test_a_later_fetch_asks_pipedrive_for_what_changed_since(
    tmp_path: Path, pipedrive: Pipedrive
) -> None:
    settings = of_pipedrive(tmp_path, pipedrive)
    fetch(settings, "pipedrive/persons")
    changed = {**pipedrive.persons[0], "update_time": "2025-03-04T01:50:00Z"}
    pipedrive.persons.append(changed)
    assert fetch(settings, "pipedrive/persons", NIGHT + timedelta(days=1)).records == 1
    assert pipedrive.api.asked[-1].args["updated_since"] == "2025-03-04T01:45:00Z"


def test_a_cursor_that_pipedrive_forgot_begins_the_fetch_again(
    tmp_path: Path, pipedrive: Pipedrive
) -> None:
    settings = of_pipedrive(tmp_path, pipedrive, page_size=1)
    pipedrive.api.faults = {2: failing(400)}
    told: list[str] = []
    fetch(settings, "pipedrive/persons", told=told.append)
    assert any("not valid any more" in line for line in told)
    assert [one["id"] for one in landed_records(settings)] == [11, 12]


def test_deals_come_with_those_that_were_deleted(tmp_path: Path, pipedrive: Pipedrive) -> None:
    settings = of_pipedrive(tmp_path, pipedrive, page_size=1)
    done = fetch(settings, "pipedrive/deals")
    assert (done.records, done.pages) == (4, 4)
    assert [one["id"] for one in landed_records(settings)] == [41, 42, 41, 43]
    report = load_deliveries(settings, None)
    assert (report.accepted, report.quarantined) == (4, 0)
    # A later fetch asks for both kinds again.
    fetch(settings, "pipedrive/deals", NIGHT + timedelta(days=1))
    assert [one.args.get("status") for one in pipedrive.api.asked[-2:]] == [None, "deleted"]


def test_deleted_deals_are_gone_on_with_where_their_cursor_was_forgotten(
    tmp_path: Path, pipedrive: Pipedrive
) -> None:
    settings = of_pipedrive(tmp_path, pipedrive, page_size=1)
    deleted = pipedrive.deals[-1]
    pipedrive.deals.append({**deleted, "id": 44, "update_time": "2025-02-15T08:00:00Z"})
    pipedrive.api.faults = {5: failing(400)}
    fetch(settings, "pipedrive/deals")
    assert [one["id"] for one in landed_records(settings)] == [41, 42, 41, 43, 44]


def test_contacts_and_conversations_come_through_the_search(
    tmp_path: Path, intercom: Intercom
) -> None:
    settings = of_intercom(tmp_path, intercom, page_size=1)
    for table in ("contacts", "conversations"):
        done = fetch(settings, f"intercom/{table}")
        assert (done.records, done.pages) == (2, 2)
    report = load_deliveries(settings, None)
    assert (report.accepted, report.quarantined) == (4, 0)


def test_the_parts_of_a_conversation_come_with_it_and_name_it(
    tmp_path: Path, intercom: Intercom
) -> None:
    settings = of_intercom(tmp_path, intercom, page_size=1)
    done = fetch(settings, "intercom/conversation_parts")
    assert (done.records, done.pages) == (4, 2)
    assert landed_records(settings) == fixture("intercom", "conversation_parts")
    report = load_deliveries(settings, None)
    assert (report.accepted, report.quarantined) == (4, 0)
    # the next search finds the conversation again, whose parts are known
    late = int((NIGHT - timedelta(minutes=5)).timestamp())
    intercom.records["conversations"][0]["updated_at"] = late
    parts = intercom.records["conversation_parts"]
    parts.append({**parts[0], "id": "3005", "created_at": late})
    assert fetch(settings, "intercom/conversation_parts", NIGHT + timedelta(days=1)).records == 5
    report = load_deliveries(settings, None)
    assert (report.accepted, report.duplicates) == (1, 4)


def test_a_conversation_that_is_gone_when_its_parts_are_asked_for_has_none(
    tmp_path: Path, intercom: Intercom
) -> None:
    settings = of_intercom(tmp_path, intercom)
    intercom.api.faults = {2: failing(404)}
    assert fetch(settings, "intercom/conversation_parts").records == 0


def test_a_later_search_begins_a_day_earlier_since_it_compares_days(
    tmp_path: Path, intercom: Intercom
) -> None:
    settings = of_intercom(tmp_path, intercom)
    fetch(settings, "intercom/contacts")
    late = int((NIGHT - timedelta(minutes=5)).timestamp())
    intercom.records["contacts"].append({**fixture("intercom", "contacts")[0], "updated_at": late})
    done = fetch(settings, "intercom/contacts", NIGHT + timedelta(days=1))
    assert done.records == 1
    assert load_deliveries(settings, None).accepted == 3


def test_a_wrong_secret_is_named_without_it(
    tmp_path: Path, pipedrive: Pipedrive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPEDRIVE_TOKEN", "wrong-secret")
    with pytest.raises(JourneylineError) as caught:
        fetch(of_pipedrive(tmp_path, pipedrive), "pipedrive/persons")
    assert "401" in str(caught.value) and "wrong-secret" not in str(caught.value)


def test_checks_ask_for_one_record(
    tmp_path: Path, pipedrive: Pipedrive, intercom: Intercom
) -> None:
    for settings in (
        of_pipedrive(tmp_path / "p", pipedrive),
        of_intercom(tmp_path / "i", intercom),
    ):
        assert {one.state for one in check_tables(settings, [], lambda line: None)} == {"ready"}
        assert not settings.landing.exists()
