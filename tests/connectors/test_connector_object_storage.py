"""Object storage, against moto's S3 server."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from fetch_home import NIGHT, fetch, project_with
from moto.server import ThreadedMotoServer

from orchestration.connectors.run import check_tables
from orchestration.errors import JourneylineError
from orchestration.ingest.landing import list_deliveries
from orchestration.ingest.loader import load_deliveries
from orchestration.settings import Settings

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("LAKE_KEY", "lake-key")
    monkeypatch.setenv("LAKE_SECRET", "lake-secret")
    found = boto3.resource(
        "s3",
        endpoint_url=address,
        region_name="us-east-1",
        aws_access_key_id="lake-key",
        aws_secret_access_key="lake-secret",
    ).create_bucket(Bucket="lake")
    yield found
    found.objects.all().delete()
    found.delete()


def project(folder: Path, address: str, **changes: Any) -> Settings:
    entry = {
        "kind": "object_storage",
        "protocol": "s3",
        "options": {
            "endpoint_url": address,
            "config_kwargs": {"retries": {"total_max_attempts": 1}},
        },
        "options_from": {"key": "LAKE_KEY", "secret": "LAKE_SECRET"},
        "tables": {"groups": {"path": "lake/desk/groups-*", **changes}},
    }
    return project_with(folder, "zendesk", entry)


def content(*numbers: int) -> bytes:
    """Groups as NDJSON."""
    at = "2025-01-01T00:00:00Z"
    rows = [{"id": n, "name": f"Group {n}", "created_at": at, "updated_at": at} for n in numbers]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def test_each_file_is_landed_once_and_a_changed_one_again(
    tmp_path: Path, address: str, bucket: Any
) -> None:
    bucket.put_object(Key="desk/groups-1.ndjson", Body=content(1, 2))
    bucket.put_object(Key="desk/groups-2.ndjson.gz", Body=gzip.compress(content(3), mtime=0))
    bucket.put_object(Key="desk/users-1.ndjson", Body=b"{}\n")
    settings = project(tmp_path, address)
    done = fetch(settings, "zendesk/groups")
    assert (done.records, len(done.deliveries)) == (2, 2)
    assert fetch(settings, "zendesk/groups").records == 0
    bucket.put_object(Key="desk/groups-1.ndjson", Body=content(1, 2, 4))
    assert fetch(settings, "zendesk/groups", NIGHT + timedelta(days=1)).records == 1
    report = load_deliveries(settings, None)
    assert (report.accepted, report.duplicates, report.deliveries) == (4, 2, 3)
    left = [p.name for p in (settings.connectors / "zendesk" / "groups").iterdir()]
    assert sorted(left) == [".lock", "cursor.json"]


def test_a_fetch_that_was_cut_off_goes_on_with_the_next_file(
    tmp_path: Path, address: str, bucket: Any
) -> None:
    for number in range(3):
        bucket.put_object(Key=f"desk/groups-{number}.ndjson", Body=content(number))
    settings = project(tmp_path, address)

    def stop(line: str) -> None:
        if "page 2" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(settings, "zendesk/groups", told=stop)
    assert len(list_deliveries(settings)) == 2
    done = fetch(settings, "zendesk/groups")
    assert done.was_resumed and len(list_deliveries(settings)) == 3


def test_a_file_that_may_still_be_written_is_left_alone(
    tmp_path: Path, address: str, bucket: Any
) -> None:
    bucket.put_object(Key="desk/groups-1.ndjson", Body=content(1))
    settings = project(tmp_path, address, settle_minutes=10)
    assert fetch(settings, "zendesk/groups", NOW + timedelta(minutes=1)).records == 0
    assert fetch(settings, "zendesk/groups", NOW + timedelta(hours=1)).records == 1


def test_a_file_that_changes_while_it_is_fetched_waits_for_the_next_time(
    tmp_path: Path, address: str, bucket: Any
) -> None:
    for number in range(2):
        bucket.put_object(Key=f"desk/groups-{number}.ndjson", Body=content(number))
    settings = project(tmp_path, address)

    def change(line: str) -> None:
        if "page 1," in line:
            bucket.put_object(Key="desk/groups-1.ndjson", Body=content(1, 5))

    assert fetch(settings, "zendesk/groups", told=change).records == 1
    assert fetch(settings, "zendesk/groups", NIGHT + timedelta(days=1)).records == 1
    assert load_deliveries(settings, None).accepted == 3


def test_the_check_lists_and_says_what_is_wrong_without_the_secret(
    tmp_path: Path, address: str, bucket: Any
) -> None:
    bucket.put_object(Key="desk/groups-1.ndjson", Body=content(1))
    (found,) = check_tables(project(tmp_path, address), [], lambda line: None)
    assert (found.state, found.says) == ("ready", "answers; 1 file(s) match")
    settings = project(tmp_path, "http://127.0.0.1:1")
    (broken,) = check_tables(settings, ["zendesk"], lambda line: None)
    assert broken.state == "unreachable" and "lake-secret" not in broken.says


def test_a_storage_whose_library_is_missing_says_which(tmp_path: Path) -> None:
    tables = {"groups": {"path": "lake/groups-*"}}
    entry = {"kind": "object_storage", "protocol": "az", "tables": tables}
    with pytest.raises(JourneylineError, match="adlfs is not installed"):
        fetch(project_with(tmp_path, "zendesk", entry), "zendesk/groups")
