"""PostgreSQL through Arrow, against a real server."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from adbc_driver_postgresql import dbapi
from fetch_home import NIGHT, fetch, landed_records, project_with
from postgres_server import running_server

from orchestration.connectors.run import check_tables
from orchestration.errors import JourneylineError
from orchestration.ingest.landing import list_deliveries
from orchestration.ingest.loader import load_deliveries
from orchestration.settings import Settings

Execute = Callable[..., None]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_server() as url:
        yield url


@pytest.fixture
def execute(server: str, monkeypatch: pytest.MonkeyPatch) -> Execute:
    """Runs statements on an empty database."""
    monkeypatch.setenv("SHOP_URL", server)

    def run(*statements: str) -> None:
        with dbapi.connect(server) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            connection.commit()

    run("drop schema if exists public cascade", "create schema public")
    return run


def project(folder: Path, table: str = "groups", **changes: Any) -> Settings:
    asked = {"table": f"public.{table}", **changes}
    entry = {"kind": "postgresql", "url_from": "SHOP_URL", "tables": {table: asked}}
    return project_with(folder, "zendesk", entry)


GROUPS = (
    "create table groups (id bigint, name text, created_at timestamptz, updated_at timestamptz)",
    """insert into groups select i, 'Group ' || i, '2025-01-01 00:00+00',
        timestamptz '2025-03-01 00:00+02' + i * interval '1 hour' from generate_series(1, 5) i""",
)


def names(settings: Settings) -> list[str]:
    return [row["name"] for row in landed_records(settings)]


def test_a_fetch_by_cursor_column_takes_what_is_new_and_the_overlap(
    tmp_path: Path, execute: Execute
) -> None:
    execute(*GROUPS)
    settings = project(tmp_path, cursor_column="updated_at")
    assert fetch(settings, "zendesk/groups").records == 5
    execute(
        "insert into groups values (6, 'late', now(), timestamptz '2025-03-01 04:50+02')",
        "insert into groups values (7, 'early', now(), timestamptz '2025-03-01 02:00+02')",
        "insert into groups values (8, 'new', now(), timestamptz '2025-03-02 00:00+02')",
    )
    assert fetch(settings, "zendesk/groups", NIGHT + timedelta(days=1)).records == 3
    assert names(settings)[5:] == ["late", "Group 5", "new"]


def test_rows_reach_the_raw_table_with_every_value_as_the_server_wrote_it(
    tmp_path: Path, execute: Execute
) -> None:
    execute(*GROUPS, "alter table groups add column more jsonb, add column tags text[]")
    execute(
        """insert into groups values (9007199254740993, E'a "b"\\n\\u00fc', '2025-01-01 00:00+00',
            '2025-01-01 12:00:00.123456+02', '{"a": [1, 2.50]}', array['x', 'y,z'])"""
    )
    settings = project(tmp_path)
    fetch(settings, "zendesk/groups")
    (row,) = [one for one in landed_records(settings) if one["id"] == "9007199254740993"]
    assert row["name"] == 'a "b"\nü'
    assert (row["more"], row["tags"]) == ('{"a": [1, 2.50]}', '["x", "y,z"]')
    assert row["updated_at"] == "2025-01-01 10:00:00.123456+00"
    report = load_deliveries(settings, None)
    assert (report.accepted, report.quarantined) == (6, 0)


def test_numbers_dates_and_nothing_are_cursors_too(tmp_path: Path, execute: Execute) -> None:
    execute(*GROUPS)
    settings = project(tmp_path, cursor_column="id")
    assert fetch(settings, "zendesk/groups").records == 5
    assert fetch(settings, "zendesk/groups").records == 1
    execute("truncate groups")
    assert fetch(settings, "zendesk/groups").records == 0
    execute("insert into groups values (6, 'new', now(), now())")
    assert fetch(settings, "zendesk/groups").records == 1
    assert sorted(names(settings)) == [*(f"Group {n}" for n in (1, 2, 3, 4, 5, 5)), "new"]


RESPONDENTS = (
    "create table respondents (respondent_id text, email text, updated_at timestamptz)",
    "insert into respondents values ('a', 'a@x', '2025-03-01'), ('b', 'b@x', '2025-03-01')",
)


def states(settings: Settings) -> list[list[tuple[str, str, str]]]:
    """Key, whether it is deleted, day of the version; a list per delivery."""
    return [
        sorted(
            (row["respondent_id"], row["is_deleted"], row["updated_at"][:10])
            for row in csv.DictReader(delivery.file.read_text().splitlines())
        )
        for delivery in list_deliveries(settings)
    ]


def respondents(folder: Path) -> Settings:
    entry = {
        "kind": "postgresql",
        "url_from": "SHOP_URL",
        "tables": {
            "respondents": {
                "table": "respondents",
                "key": ["respondent_id"],
                "deleted_column": "is_deleted",
            }
        },
    }
    return project_with(folder, "surveys", entry)


def test_a_full_fetch_tells_which_rows_are_gone_and_which_came_back(
    tmp_path: Path, execute: Execute
) -> None:
    execute(*RESPONDENTS)
    settings = respondents(tmp_path)
    night = [NIGHT + timedelta(days=n) for n in range(5)]
    fetch(settings, "surveys/respondents", night[0])
    execute("delete from respondents where respondent_id = 'a'")
    fetch(settings, "surveys/respondents", night[1])
    assert not fetch(settings, "surveys/respondents", night[2]).is_new
    execute("insert into respondents values ('a', 'a@x', '2025-03-01')")
    fetch(settings, "surveys/respondents", night[3])
    execute("truncate respondents")
    fetch(settings, "surveys/respondents", night[4])
    assert states(settings) == [
        [("a", "false", "2025-03-01"), ("b", "false", "2025-03-01")],
        [("a", "true", "2025-03-05"), ("b", "false", "2025-03-01")],
        [("a", "false", "2025-03-07"), ("b", "false", "2025-03-01")],
        [("a", "true", "2025-03-08"), ("b", "true", "2025-03-08")],
    ]


def test_deleted_rows_in_a_table_without_versions_are_an_error_of_configuration(
    tmp_path: Path, execute: Execute
) -> None:
    execute(*RESPONDENTS)
    table = {"table": "pulses", "key": ["pulse_id"], "deleted_column": "is_deleted"}
    entry = {"kind": "postgresql", "url_from": "SHOP_URL", "tables": {"pulses": table}}
    settings = project_with(tmp_path, "surveys", entry)
    with pytest.raises(JourneylineError, match="without a version column"):
        fetch(settings, "surveys/pulses")


def test_the_check_reaches_the_server_and_names_what_it_would_never_see(
    tmp_path: Path, execute: Execute
) -> None:
    execute(*GROUPS, "insert into groups values (9, 'no time', now(), null)")
    settings = project(tmp_path, cursor_column="updated_at")
    (found,) = check_tables(settings, [], lambda line: None)
    assert found.state == "ready"
    assert found.says == "answers; 4 columns; rows without updated_at are never fetched"
    assert list_deliveries(settings) == []


@pytest.mark.parametrize(
    ("table", "url", "said"),
    [
        ("missing", None, 'relation "public.missing" does not exist'),
        ("groups", ("s3cret", "wr0ng"), "password authentication failed"),
        ("groups", (r":\d+/", ":1/"), "Connection refused"),
    ],
)
def test_what_the_server_refuses_is_said_without_the_password(
    tmp_path: Path,
    execute: Execute,
    server: str,
    monkeypatch: pytest.MonkeyPatch,
    table: str,
    url: tuple[str, str] | None,
    said: str,
) -> None:
    execute(*GROUPS)
    if url is not None:
        monkeypatch.setenv("SHOP_URL", re.sub(*url, server))
    settings = project_with(
        tmp_path,
        "zendesk",
        {
            "kind": "postgresql",
            "url_from": "SHOP_URL",
            "tables": {"groups": {"table": f"public.{table}"}},
        },
    )
    with pytest.raises(JourneylineError, match=said) as raised:
        fetch(settings, "zendesk/groups")
    assert "s3cret" not in str(raised.value) and "wr0ng" not in str(raised.value)


def test_a_fetch_cannot_write(tmp_path: Path, execute: Execute) -> None:
    execute(*GROUPS, "create sequence s")
    entry = {
        "kind": "postgresql",
        "url_from": "SHOP_URL",
        "tables": {"groups": {"query": "select nextval('s') as id"}},
    }
    with pytest.raises(JourneylineError, match="read-only transaction"):
        fetch(project_with(tmp_path, "zendesk", entry), "zendesk/groups")


def test_a_query_that_was_cut_off_begins_again(
    tmp_path: Path, execute: Execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(*GROUPS)
    settings = project(tmp_path)

    def stop(line: str) -> None:
        if "record" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(settings, "zendesk/groups", told=stop)
    execute("insert into groups values (6, 'new', now(), now())")
    assert fetch(settings, "zendesk/groups").was_resumed
    assert len(set(names(settings))) == 6
