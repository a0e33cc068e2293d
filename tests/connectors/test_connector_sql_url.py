"""Databases behind a SQLAlchemy URL, against SQLite."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fetch_home import NIGHT, fetch, landed_records, project_with

from orchestration.connectors.run import check_tables
from orchestration.connectors.sql_url import _earlier_text
from orchestration.errors import JourneylineError
from orchestration.ingest.loader import load_deliveries
from orchestration.settings import Settings

TABLE = "create table groups (id integer, name text, created_at text, updated_at text, r real)"


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "desk.sqlite"
    monkeypatch.setenv("DESK_URL", f"sqlite:///{path}")
    execute(path, TABLE)
    add(path, *((n, f"2025-03-01T10:{n:02}:00Z") for n in range(6)))
    return path


def execute(path: Path, statement: str, rows: list[Any] | None = None) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executemany(statement, rows if rows is not None else [()])
        connection.commit()


def add(path: Path, *rows: tuple[int, str]) -> None:
    values = [(n, f"Grüppe {n}", "2025-01-01T00:00:00Z", at, 0.1) for n, at in rows]
    execute(path, "insert into groups values (?, ?, ?, ?, ?)", values)


def project(folder: Path, **changes: Any) -> Settings:
    tables = {"groups": changes or {"table": "groups"}}
    entry = {"kind": "sqlalchemy", "url_from": "DESK_URL", "batch_rows": 4, "tables": tables}
    return project_with(folder, "zendesk", entry)


def test_rows_come_in_batches_and_reach_the_raw_table(tmp_path: Path, database: Path) -> None:
    settings = project(tmp_path)
    done = fetch(settings, "zendesk/groups")
    assert (done.records, done.pages) == (6, 3)
    assert landed_records(settings)[0]["r"] == 0.1
    report = load_deliveries(settings, None)
    assert (report.accepted, report.quarantined) == (6, 0)


def test_a_cursor_column_of_text_is_windowed_with_the_overlap(
    tmp_path: Path, database: Path
) -> None:
    settings = project(tmp_path, table="groups", cursor_column="updated_at")
    fetch(settings, "zendesk/groups")
    add(database, (6, "2025-03-01T09:51:00Z"), (7, "2025-03-01T11:00:00Z"))
    done = fetch(settings, "zendesk/groups", NIGHT + timedelta(days=1))
    taken = {row["id"] for row in landed_records(settings)[6:]}
    assert (done.records, taken) == (8, {*range(8)})
    third = fetch(settings, "zendesk/groups", NIGHT + timedelta(days=2))
    assert third.records == 1


def test_a_query_with_a_number_as_its_cursor(tmp_path: Path, database: Path) -> None:
    query = "select id, name, updated_at from groups where id <> 2"
    settings = project(tmp_path, query=query, cursor_column="id")
    assert fetch(settings, "zendesk/groups").records == 5
    add(database, (9, "2025-03-01T11:00:00Z"))
    assert fetch(settings, "zendesk/groups", NIGHT + timedelta(days=1)).records == 2


def test_rows_that_are_gone_are_told(tmp_path: Path, database: Path) -> None:
    settings = project(tmp_path, table="groups", key=["id"], deleted_column="is_deleted")
    fetch(settings, "zendesk/groups")
    execute(database, "delete from groups where id = 3")
    fetch(settings, "zendesk/groups", NIGHT + timedelta(days=1))
    gone = [row for row in landed_records(settings) if row["is_deleted"] == "true"]
    assert [(row["id"], row["updated_at"]) for row in gone] == [(3, "2025-03-05T02:00:00+00:00")]


@pytest.mark.parametrize(
    ("value", "earlier"),
    [
        ("2025-03-01T00:10:00Z", "2025-02-28T23:55:00Z"),
        ("2025-03-01 00:10:00", "2025-02-28 23:55:00"),
        ("2025-03-01 00:10:00.500000", "2025-02-28 23:55:00.500000"),
        ("2025-03-01T00:10:00+02:00", "2025-02-28T23:55:00+02:00"),
        ("2025-03-01", "2025-02-28"),
        ("A-17", "A-17"),
    ],
)
def test_an_instant_written_as_text_keeps_its_form(value: str, earlier: str) -> None:
    assert _earlier_text(value, timedelta(minutes=15)) == earlier


def test_a_missing_table_or_driver_is_said_without_the_address(
    tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = project(tmp_path, table="missing")
    with pytest.raises(JourneylineError, match="no such table: missing"):
        fetch(settings, "zendesk/groups")
    monkeypatch.setenv("DESK_URL", "oracle://scott:tiger@127.0.0.1/x")
    (found,) = check_tables(settings, [], lambda line: None)
    assert found.state == "unreachable"
    assert "tiger" not in found.says
