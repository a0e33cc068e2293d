"""`journeyline sources fetch` and `check`, entries of `sources.yml`, and the job that fetches."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from fetch_home import PATIENCE, landed_records, project_with
from local_api import failing
from zendesk_api import Zendesk

from orchestration.cli.main import _run
from orchestration.connectors.registry import has_connectors
from orchestration.defs.fetch import fetch_jobs
from orchestration.errors import JourneylineError
from orchestration.ingest.landing import list_deliveries
from orchestration.ingest.sources import load_sources
from orchestration.settings import Settings

AUTH = {"kind": "basic", "user": "desk@example.com/token", "password_from": "ZENDESK_TOKEN"}


@pytest.fixture
def zendesk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Zendesk]:
    monkeypatch.setenv("ZENDESK_TOKEN", "s3cret")
    vendor = Zendesk()
    vendor.tables["tickets"] = [{"id": 1, "updated_at": "2025-03-03T10:00:00Z"}]
    vendor.tables["groups"] = [{"id": 7}]
    yield vendor
    vendor.api.close()


@pytest.fixture
def settings(tmp_path: Path, zendesk: Zendesk, monkeypatch: pytest.MonkeyPatch) -> Settings:
    entry = {
        "kind": "zendesk",
        "url": zendesk.api.url,
        "auth": AUTH,
        "retry": {**PATIENCE, "attempts": 1},
        "tables": {"tickets": {}, "groups": {}},
    }
    found = project_with(tmp_path, "zendesk", entry)
    monkeypatch.setenv("JOURNEYLINE_PROJECT", str(found.repo_root))
    return found


def call(settings: Settings, *arguments: str) -> int:
    return _run(["--home", str(settings.home), "sources", *arguments])


def test_one_table_that_fails_does_not_keep_the_others_back(
    settings: Settings, zendesk: Zendesk, capsys: pytest.CaptureFixture[str]
) -> None:
    zendesk.api.faults[1] = failing(500)
    assert call(settings, "fetch", "--json") == 1
    tickets, groups = json.loads(capsys.readouterr().out)
    assert "kept answering 500" in tickets["error"]
    assert (groups["table"], groups["records"], groups["error"]) == ("zendesk/groups", 1, None)
    assert call(settings, "fetch", "zendesk/tickets") == 0
    said = capsys.readouterr()
    assert "journeyline run" in said.out and "zendesk/tickets …" in said.err
    assert {record["id"] for record in landed_records(settings)} == {1, 7}


def test_the_check_loads_nothing_and_tells_wrong_from_unreachable(
    settings: Settings,
    zendesk: Zendesk,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert call(settings, "check", "zendesk", "--json") == 0
    assert [one["state"] for one in json.loads(capsys.readouterr().out)] == ["ready", "ready"]
    zendesk.api.faults[len(zendesk.api.asked) + 1] = failing(503)
    assert call(settings, "check", "--json") == 1
    broken, ready = json.loads(capsys.readouterr().out)
    assert (broken["state"], ready["state"]) == ("unreachable", "ready")
    monkeypatch.delenv("ZENDESK_TOKEN")
    assert call(settings, "check") == 2
    assert "ZENDESK_TOKEN" in capsys.readouterr().out
    assert list_deliveries(settings) == []
    assert not settings.connectors.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("fetch", "hubspot"), "hubspot has no connector"),
        (("check", "zendesk/users"), "zendesk/users has no connector"),
    ],
)
def test_what_has_no_connector_is_wrong_usage(
    settings: Settings, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert call(settings, *arguments) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "siebel"}, "does not match any of the expected tags"),
        ({"url": "desk.example.com"}, "String should match pattern"),
        ({"token": "abc"}, "Extra inputs are not permitted"),
        ({"auth": {**AUTH, "password_from": "hunter2"}}, "String should match pattern"),
        ({"auth": {**AUTH, "user_from": "NAME"}}, "give user, or user_from"),
        ({"tables": {}}, "at least 1 item"),
    ],
)
def test_an_entry_that_cannot_be_is_named_with_its_line(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    entry = {"kind": "zendesk", "url": "https://desk.example.com", "auth": AUTH}
    found = project_with(tmp_path, "zendesk", {**entry, "tables": {"users": {}}, **change})
    with pytest.raises(JourneylineError, match=said) as raised:
        load_sources(found)
    assert raised.value.exit_code == 2
    number = int(raised.value.where.rpartition(":")[2])
    lines = (found.config / "sources.yml").read_text().splitlines()
    begin = lines.index("  connector:", lines.index("- name: zendesk"))
    assert begin < number <= begin + 15
    assert "hunter2" not in str(raised.value)


def test_a_contract_that_is_missing_is_named(settings: Settings) -> None:
    entry = {"kind": "zendesk", "url": "https://x.example.com", "auth": AUTH}
    project_with(settings.repo_root.parent, "zendesk", {**entry, "tables": {"views": {}}})
    assert call(settings, "check") == 2


def test_the_job_fetches_and_is_defined_only_where_something_can_be_fetched(
    settings: Settings, zendesk: Zendesk
) -> None:
    assert not has_connectors(Settings(home=settings.home))
    assert fetch_jobs(Settings(home=settings.home)) == []
    (job,) = fetch_jobs(settings)
    zendesk.api.faults[1] = failing(401)
    with dg.DagsterInstance.ephemeral() as instance:
        failed = job.execute_in_process(instance=instance, raise_on_error=False)
    assert not failed.success
    assert len(list_deliveries(settings)) == 1


def test_an_answer_in_another_form_fails_its_table_alone(
    settings: Settings, zendesk: Zendesk, capsys: pytest.CaptureFixture[str]
) -> None:
    zendesk.api.faults[1] = lambda request: {"tickets": "none", "end_of_stream": True}
    zendesk.api.faults[2] = lambda request: {"groups": [], "meta": {"has_more": True}}
    assert call(settings, "fetch", "--json") == 1
    told = [one["error"] for one in json.loads(capsys.readouterr().out)]
    assert ["another form than expected" in error for error in told] == [True, True]
    assert call(settings, "fetch") == 0
    assert {record["id"] for record in landed_records(settings)} == {1, 7}
