"""Salesforce over REST: queries by time, pages by nextRecordsUrl, deleted records, tokens."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fetch_home import NIGHT, PATIENCE, fetch, landed_records, project_with
from local_api import failing
from vendor_apis import Salesforce, fixture

from orchestration.connectors.run import check_tables
from orchestration.connectors.salesforce import TABLES
from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.ingest.loader import load_deliveries
from orchestration.settings import Settings

OBJECTS = ("Contact", "Lead", "Account", "Opportunity", "Case")


@pytest.fixture
def salesforce(monkeypatch: pytest.MonkeyPatch) -> Iterator[Salesforce]:
    monkeypatch.setenv("SALESFORCE_TOKEN", "token-1")
    vendor = Salesforce()
    vendor.records = {o: fixture("salesforce", t) for o, t in zip(OBJECTS, TABLES, strict=True)}
    yield vendor
    vendor.api.close()


def project(folder: Path, vendor: Salesforce, *tables: str, **changes: Any) -> Settings:
    entry = {
        "kind": "salesforce",
        "url": vendor.api.url,
        "auth": {"kind": "bearer", "token_from": "SALESFORCE_TOKEN"},
        "retry": PATIENCE,
        "tables": {table: {} for table in tables},
    }
    return project_with(folder, "salesforce", {**entry, **changes}, enabled=True)


def test_every_object_comes_with_the_fields_of_its_contract_and_is_accepted(
    tmp_path: Path, salesforce: Salesforce
) -> None:
    settings = project(tmp_path, salesforce, *TABLES)
    for table in TABLES:
        fetch(settings, f"salesforce/{table}")
    report = load_deliveries(settings, None)
    assert (report.accepted, report.quarantined) == (11, 0)
    # Deleted and merged records are among them.
    deleted = [one["Id"] for one in landed_records(settings) if one["IsDeleted"]]
    assert sorted(deleted) == ["003B", "006B", "500B"]


def test_pages_follow_the_next_records_url_and_a_later_fetch_asks_for_what_changed_since(
    tmp_path: Path, salesforce: Salesforce
) -> None:
    settings = project(tmp_path, salesforce, "contacts")
    assert (fetch(settings, "salesforce/contacts").pages) == 2
    changed = NIGHT + timedelta(hours=3)
    ann = {**salesforce.records["Contact"][0], "SystemModstamp": changed.isoformat()}
    salesforce.records["Contact"].append(ann)
    done = fetch(settings, "salesforce/contacts", NIGHT + timedelta(days=1))
    assert done.records == 1
    queries = [asked.args["q"] for asked in salesforce.api.asked if "q" in asked.args]
    assert "SystemModstamp < 2025-03-04T02:00:00Z ORDER BY" in queries[0]
    assert "SystemModstamp >= 2025-03-04T01:45:00Z" in queries[1]


def test_a_query_that_salesforce_forgot_is_asked_again(
    tmp_path: Path, salesforce: Salesforce
) -> None:
    once = {**PATIENCE, "attempts": 1}
    settings = project(tmp_path, salesforce, "contacts", retry=once)
    salesforce.api.faults = {2: failing(500)}
    with pytest.raises(JourneylineError, match="kept answering 500"):
        fetch(settings, "salesforce/contacts")
    salesforce.generation = 1
    fetch(settings, "salesforce/contacts")
    assert sorted({one["Id"] for one in landed_records(settings)}) == ["003A", "003B", "003C"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"done": True, "totalSize": 5, "records": []}, "counts 5 records and gave 0"),
        ({"done": False, "records": []}, "says that there is more, and not where"),
        (
            {"done": False, "nextRecordsUrl": "https://elsewhere.example/x", "records": []},
            "says that there is more, and not where",
        ),
    ],
)
def test_an_answer_that_cannot_be_is_named(
    tmp_path: Path, salesforce: Salesforce, answer: dict[str, Any], said: str
) -> None:
    salesforce.api.faults = {1: lambda request: answer}
    with pytest.raises(JourneylineError, match=said):
        fetch(project(tmp_path, salesforce, "contacts"), "salesforce/contacts")


def test_a_client_s_secret_is_exchanged_for_a_token_once(
    tmp_path: Path, salesforce: Salesforce, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALESFORCE_ID", "id-1")
    monkeypatch.setenv("SALESFORCE_SECRET", "secret-1")
    auth = {
        "kind": "client_credentials",
        "token_path": "services/oauth2/token",
        "client_id_from": "SALESFORCE_ID",
        "client_secret_from": "SALESFORCE_SECRET",
    }
    salesforce.api.faults = {1: salesforce.grant}
    settings = project(tmp_path, salesforce, "contacts", auth=auth)
    assert fetch(settings, "salesforce/contacts").records == 3
    assert salesforce.tokens == 1
    kept = [path.read_text() for path in settings.home.rglob("*") if path.is_file()]
    assert not any("secret-1" in text or "token-1" in text for text in kept)


def test_what_is_no_field_is_refused_before_anything_is_asked(
    tmp_path: Path, salesforce: Salesforce
) -> None:
    tables = {"contacts": {"properties": ["Id FROM User --"]}}
    settings = project(tmp_path, salesforce, tables=tables)
    with pytest.raises(JourneylineError) as caught:
        fetch(settings, "salesforce/contacts")
    assert caught.value.exit_code == EXIT_USAGE
    assert salesforce.api.asked == []


def test_the_check_counts_the_records(tmp_path: Path, salesforce: Salesforce) -> None:
    settings = project(tmp_path, salesforce, "contacts")
    (checked,) = check_tables(settings, ["salesforce"], lambda line: None)
    assert (checked.state, checked.says) == ("ready", "answers; 3 record(s)")
