"""Object storage: S3 on moto's server, Azure's on Azurite, Google's on an emulator."""

from __future__ import annotations

import dataclasses
import gzip
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import storages
from fetch_home import NIGHT, fetch, landed_text, project_with
from storages import BUCKET, Storage

from orchestration.connectors.run import check_tables
from orchestration.errors import JourneylineError
from orchestration.ingest.landing import list_deliveries
from orchestration.ingest.loader import load_deliveries
from orchestration.settings import Settings

NOW = datetime.now(UTC)
EMULATED = [pytest.param(protocol, marks=pytest.mark.slow) for protocol in ("az", "gs")]


@pytest.fixture(scope="module", params=["s3", *EMULATED])
def running(request: pytest.FixtureRequest) -> Iterator[Storage]:
    with storages.running(request.param) as storage:
        yield storage


@pytest.fixture
def storage(running: Storage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    for name, value in running.secrets.items():
        monkeypatch.setenv(name, value)
    yield running
    running.empty()


def project(folder: Path, storage: Storage, **changes: Any) -> Settings:
    entry = {
        "kind": "object_storage",
        "protocol": storage.protocol,
        "options": storage.options,
        "options_from": storage.options_from,
        "tables": {"groups": {"path": f"{BUCKET}/desk/groups-*", **changes}},
    }
    return project_with(folder, "zendesk", entry)


def content(*numbers: int) -> bytes:
    """Groups as NDJSON."""
    at = "2025-01-01T00:00:00Z"
    rows = [{"id": n, "name": f"Group {n}", "created_at": at, "updated_at": at} for n in numbers]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def test_each_file_is_landed_once_and_a_changed_one_again(tmp_path: Path, storage: Storage) -> None:
    storage.put("desk/groups-1.ndjson", content(1, 2))
    storage.put("desk/groups-2.ndjson.gz", gzip.compress(content(3), mtime=0))
    storage.put("desk/users-1.ndjson", b"{}\n")
    settings = project(tmp_path, storage)
    done = fetch(settings, "zendesk/groups")
    assert (done.records, len(done.deliveries)) == (2, 2)
    assert fetch(settings, "zendesk/groups").records == 0
    storage.put("desk/groups-1.ndjson", content(1, 2, 4))
    assert fetch(settings, "zendesk/groups", NIGHT + timedelta(days=1)).records == 1
    report = load_deliveries(settings, None)
    assert (report.accepted, report.duplicates, report.deliveries) == (4, 2, 3)
    left = [p.name for p in (settings.connectors / "zendesk" / "groups").iterdir()]
    assert sorted(left) == [".lock", "cursor.json"]


def test_a_fetch_that_was_cut_off_goes_on_with_the_next_file(
    tmp_path: Path, storage: Storage
) -> None:
    for number in range(3):
        storage.put(f"desk/groups-{number}.ndjson", content(number))
    settings = project(tmp_path, storage)

    def stop(line: str) -> None:
        if "page 2" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(settings, "zendesk/groups", told=stop)
    assert len(list_deliveries(settings)) == 2
    done = fetch(settings, "zendesk/groups")
    assert done.was_resumed and len(list_deliveries(settings)) == 3


def test_a_file_that_may_still_be_written_is_left_alone(tmp_path: Path, storage: Storage) -> None:
    storage.put("desk/groups-1.ndjson", content(1))
    settings = project(tmp_path, storage, settle_minutes=10)
    assert fetch(settings, "zendesk/groups", NOW + timedelta(minutes=1)).records == 0
    assert fetch(settings, "zendesk/groups", NOW + timedelta(hours=1)).records == 1


def test_a_file_that_changes_while_it_is_fetched_waits_for_the_next_time(
    tmp_path: Path, storage: Storage
) -> None:
    for number in range(2):
        storage.put(f"desk/groups-{number}.ndjson", content(number))
    settings = project(tmp_path, storage)

    def change(line: str) -> None:
        if "page 1," in line:
            storage.put("desk/groups-1.ndjson", content(1, 5))

    assert fetch(settings, "zendesk/groups", told=change).records == 1
    assert fetch(settings, "zendesk/groups", NIGHT + timedelta(days=1)).records == 1
    assert load_deliveries(settings, None).accepted == 3


def test_the_check_lists_and_says_that_nobody_answers(tmp_path: Path, storage: Storage) -> None:
    storage.put("desk/groups-1.ndjson", content(1))
    (found,) = check_tables(project(tmp_path, storage), [], lambda line: None)
    assert (found.state, found.says) == ("ready", "answers; 1 file(s) match")
    if storage.protocol == "s3":
        # The others' libraries try for minutes before they give up.
        gone = {**storage.options, "endpoint_url": "http://127.0.0.1:1"}
        settings = project(tmp_path, dataclasses.replace(storage, options=gone))
        (broken,) = check_tables(settings, ["zendesk"], lambda line: None)
        assert broken.state == "unreachable" and "lake-secret" not in broken.says


def test_who_is_not_let_in_is_told_so_without_the_secret(
    tmp_path: Path, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not storage.wrong:
        return
    storage.put("desk/groups-1.ndjson", content(1))
    settings = project(tmp_path, storage)
    for name, value in storage.wrong.items():
        monkeypatch.setenv(name, value)
    (broken,) = check_tables(settings, ["zendesk"], lambda line: None)
    assert broken.state == "unreachable", broken
    with pytest.raises(JourneylineError) as raised:
        fetch(settings, "zendesk/groups")
    for told in (broken.says, str(raised.value)):
        assert not any(part in told for part in storage.told)
    assert not list_deliveries(settings)


def test_no_secret_is_written_down(tmp_path: Path, storage: Storage) -> None:
    storage.put("desk/groups-1.ndjson", content(1))
    settings = project(tmp_path, storage)
    fetch(settings, "zendesk/groups")
    written = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    assert landed_text(settings).encode() in written
    assert not any(part.encode() in written for part in storage.told)


@pytest.mark.parametrize(
    ("protocol", "library", "step"),
    [("az", "adlfs", r"\.\[azure\]"), ("gs", "gcsfs", r"\.\[gcs\]"), ("s3", "s3fs", "make pins")],
)
def test_a_storage_whose_library_is_missing_says_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str, library: str, step: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    # What fsspec imported before is remembered in it.
    monkeypatch.delitem(import_module("fsspec.registry")._registry, protocol, raising=False)
    tables = {"groups": {"path": "lake/groups-*"}}
    entry = {"kind": "object_storage", "protocol": protocol, "tables": tables}
    settings = project_with(tmp_path, "zendesk", entry)
    with pytest.raises(JourneylineError, match=f"{library} is not installed[^$]*{step}"):
        fetch(settings, "zendesk/groups")


def test_a_text_that_is_no_service_account_is_named_by_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKE_ACCOUNT", '{"private_key": "lake-secret"')
    entry = {
        "kind": "object_storage",
        "protocol": "gs",
        "options_from": {"token": "LAKE_ACCOUNT"},
        "tables": {"groups": {"path": "lake/groups-*"}},
    }
    with pytest.raises(JourneylineError, match="LAKE_ACCOUNT") as raised:
        fetch(project_with(tmp_path, "zendesk", entry), "zendesk/groups")
    assert raised.value.exit_code == 2 and "lake-secret" not in str(raised.value)
