"""HubSpot over REST: lists, windowed searches, associations, archived and merged records."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fetch_home import NIGHT, PATIENCE, fetch, landed_records, project_with
from hubspot_api import LIMIT, HubSpot
from local_api import failing

from orchestration.errors import JourneylineError
from orchestration.ingest.landing import list_deliveries
from orchestration.settings import Settings

TOMORROW = NIGHT + timedelta(days=1)
OLD = "2025-01-01T00:00:00Z"


def record(number: int, changed: datetime | str = OLD, **properties: Any) -> dict[str, Any]:
    at = changed if isinstance(changed, str) else changed.isoformat(timespec="milliseconds")
    return {
        "id": str(number),
        "properties": properties,
        "createdAt": OLD,
        "updatedAt": at,
        "archived": False,
    }


def archived(number: int, at: datetime) -> dict[str, Any]:
    return {**record(number, at), "archived": True, "archivedAt": at.isoformat()}


@pytest.fixture
def hubspot(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubSpot]:
    monkeypatch.setenv("HUBSPOT_TOKEN", "pat-123")
    vendor = HubSpot()
    yield vendor
    vendor.api.close()


def project(folder: Path, vendor: HubSpot, tables: dict[str, Any], **changes: Any) -> Settings:
    auth = {"kind": "bearer", "token_from": "HUBSPOT_TOKEN"}
    entry = {"kind": "hubspot", "url": vendor.api.url, "auth": auth, "retry": PATIENCE}
    return project_with(folder, "hubspot", {**entry, "tables": tables, **changes})


def ids(settings: Settings) -> list[str]:
    return [one["id"] for one in landed_records(settings)]


def searches(vendor: HubSpot) -> list[dict[str, Any]]:
    return [asked.body for asked in vendor.api.asked if asked.path.endswith("/search")]


def test_the_first_fetch_lists_all_and_archived_ones_with_what_the_contract_reads(
    tmp_path: Path, hubspot: HubSpot
) -> None:
    hubspot.records["contacts"] = [
        *(record(n, firstname="Ada", secret="s", nick="N") for n in range(1, 6)),
        archived(6, NIGHT - timedelta(days=200)),
    ]
    settings = project(tmp_path, hubspot, {"contacts": {"properties": ["nick"]}}, page_size=2)
    done = fetch(settings, "hubspot/contacts")
    assert (done.records, done.pages) == (6, 4)
    assert ids(settings) == ["1", "2", "3", "4", "5", "6"]
    properties = landed_records(settings)[0]["properties"]
    assert (properties["firstname"], properties["nick"]) == ("Ada", "N")
    assert "secret" not in properties and "hs_merged_object_ids" in properties


def test_later_fetches_search_what_changed_and_see_archived_and_merged_records(
    tmp_path: Path, hubspot: HubSpot
) -> None:
    hubspot.records["contacts"] = [record(n) for n in range(1, 4)]
    settings = project(tmp_path, hubspot, {"contacts": {}})
    fetch(settings, "hubspot/contacts")
    # 2 is merged into 1 and is no longer listed, 3 is archived, 4 is new within the overlap.
    hubspot.records["contacts"] = [
        record(1, NIGHT + timedelta(hours=3), hs_merged_object_ids="2"),
        archived(3, NIGHT + timedelta(hours=4)),
        archived(9, NIGHT - timedelta(days=3)),
        record(4, NIGHT - timedelta(minutes=10)),
    ]
    done = fetch(settings, "hubspot/contacts", TOMORROW)
    assert done.records == 3
    survivor, late, gone = sorted(landed_records(settings)[3:], key=lambda r: r["id"] != "1")[:3]
    assert survivor["properties"]["hs_merged_object_ids"] == "2"
    assert {late["id"], gone["id"]} == {"3", "4"}
    (search,) = searches(hubspot)
    filter_ = search["filterGroups"][0]["filters"][0]
    assert filter_["propertyName"] == "lastmodifieddate"


def test_a_search_that_finds_too_much_is_windowed_by_time(tmp_path: Path, hubspot: HubSpot) -> None:
    hubspot.records["calls"] = []
    settings = project(tmp_path, hubspot, {"calls": {}})
    fetch(settings, "hubspot/calls")
    count = LIMIT + 2_500
    hubspot.records["calls"] = [
        record(n, NIGHT + timedelta(seconds=n * 3), hs_call_title="c") for n in range(1, count + 1)
    ]
    done = fetch(settings, "hubspot/calls", TOMORROW)
    assert done.records == count
    assert len(set(ids(settings))) == count
    assert {body["sorts"][0]["propertyName"] for body in searches(hubspot)} == {
        "hs_lastmodifieddate"
    }


def test_an_instant_with_too_many_changes_is_read_by_ids(tmp_path: Path, hubspot: HubSpot) -> None:
    hubspot.records["meetings"] = []
    settings = project(tmp_path, hubspot, {"meetings": {}})
    fetch(settings, "hubspot/meetings")
    imported = NIGHT + timedelta(hours=1)
    count = LIMIT + 300
    hubspot.records["meetings"] = [record(n, imported) for n in range(1, count + 1)]
    hubspot.records["meetings"].append(record(count + 1, imported + timedelta(hours=1)))
    done = fetch(settings, "hubspot/meetings", TOMORROW)
    assert done.records == count + 1
    assert len(set(ids(settings))) == count + 1


def test_found_deals_are_completed_with_history_and_associations(
    tmp_path: Path, hubspot: HubSpot
) -> None:
    def deal(number: int, changed: datetime | str, *companies: int) -> dict[str, Any]:
        links = {"results": [{"id": str(one)} for one in companies]}
        return {
            **record(number, changed, dealname="D", dealstage="won"),
            "associations": {"contacts": {"results": [{"id": "77"}]}, "companies": links},
            "propertiesWithHistory": {"dealstage": [{"value": "won", "timestamp": OLD}]},
        }

    hubspot.records["deals"] = [deal(1, OLD, 5)]
    settings = project(tmp_path, hubspot, {"deals": {}})
    fetch(settings, "hubspot/deals")
    hubspot.records["deals"] += [deal(n, NIGHT + timedelta(hours=1), 5, 6) for n in range(2, 62)]
    del hubspot.records["deals"][-1]["associations"]
    fetch(settings, "hubspot/deals", TOMORROW)
    listed, *found, alone = landed_records(settings)
    for one in (listed, *found):
        assert one["propertiesWithHistory"]["dealstage"][0]["value"] == "won"
        assert one["associations"]["contacts"]["results"][0]["id"] == "77"
    assert len(found) == 59 and "associations" not in alone
    companies = [one["id"] for one in found[0]["associations"]["companies"]["results"]]
    assert companies == ["5", "6"]


def test_records_that_leave_a_window_do_not_hide_others(tmp_path: Path, hubspot: HubSpot) -> None:
    hubspot.records["contacts"] = []
    settings = project(tmp_path, hubspot, {"contacts": {}}, page_size=3)
    fetch(settings, "hubspot/contacts")
    at = NIGHT + timedelta(hours=1)
    hubspot.records["contacts"] = [record(n, at + timedelta(minutes=n)) for n in range(1, 10)]

    def first_two_change(request: Any) -> None:
        for one in hubspot.records["contacts"][:2]:
            one["updatedAt"] = (TOMORROW + timedelta(minutes=1)).isoformat()

    hubspot.api.faults[len(hubspot.api.asked) + 2] = first_two_change
    fetch(settings, "hubspot/contacts", TOMORROW)
    assert set(ids(settings)) == {str(n) for n in range(1, 10)}
    third = fetch(settings, "hubspot/contacts", TOMORROW + timedelta(days=1))
    assert third.records == 2


def test_a_place_that_expired_begins_the_fetch_again(tmp_path: Path, hubspot: HubSpot) -> None:
    hubspot.records["contacts"] = [record(n) for n in range(1, 6)]
    settings = project(tmp_path, hubspot, {"contacts": {}}, page_size=2)
    hubspot.api.faults |= {2: failing(400)}
    assert fetch(settings, "hubspot/contacts").records == 5


def test_a_contract_that_reads_csv_is_given_csv(tmp_path: Path, hubspot: HubSpot) -> None:
    hubspot.records["companies"] = [record(1, name='A "B", C', numberofemployees="12")]
    columns = {
        "company_id": "id",
        "name": "properties.name",
        "employee_count": "properties.numberofemployees",
        "city": "properties.city",
        "is_archived": "archived",
        "updated_at": "updatedAt",
    }
    settings = project(tmp_path, hubspot, {"companies": {"columns": columns}})
    fetch(settings, "hubspot/companies")
    (delivery,) = list_deliveries(settings)
    (row,) = csv.DictReader(delivery.file.read_text().splitlines())
    assert row == {
        "company_id": "1",
        "name": 'A "B", C',
        "employee_count": "12",
        "city": "",
        "is_archived": "false",
        "updated_at": OLD,
    }


def test_a_csv_contract_without_columns_is_an_error_of_configuration(
    tmp_path: Path, hubspot: HubSpot
) -> None:
    settings = project(tmp_path, hubspot, {"owners": {}})
    with pytest.raises(JourneylineError, match="names no columns") as raised:
        fetch(settings, "hubspot/owners")
    assert raised.value.exit_code == 2


def test_times_without_a_zone_in_the_entry_are_utc(tmp_path: Path, hubspot: HubSpot) -> None:
    hubspot.records["contacts"] = [record(1), record(2, datetime(2025, 2, 1, tzinfo=UTC))]
    settings = project(tmp_path, hubspot, {"contacts": {}}, start_at="2025-02-01T00:00:00")
    fetch(settings, "hubspot/contacts")
    assert ids(settings) == ["2"]
