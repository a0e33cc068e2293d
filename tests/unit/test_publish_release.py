"""One release: all tables or none, immutable, the same bytes for the same rows."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import duckdb
import publishing
import pytest

from orchestration.errors import JourneylineError
from orchestration.publish.publisher import SAME_CONTENT, publish
from orchestration.publish.releases import list_releases, show_release, verify_release
from orchestration.settings import Settings

TABLES = {"dim_customers", "fct_identity_history", "fct_touchpoints"}
DESCRIBING = {"_release", "_inputs", "_checks", "_columns"}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = publishing.make_home(tmp_path_factory.mktemp("published"))
    publish(settings, "run-1", now=publishing.clock)
    return settings


def query(settings: Settings, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(settings.current / "journeyline.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_a_release_holds_every_table_and_says_what_it_is(published: Settings) -> None:
    found = {row[0] for row in query(published, "select table_name from duckdb_tables()")}
    assert found == TABLES | DESCRIBING
    assert {p.name for p in (published.current / "parquet").iterdir()} == TABLES
    ((release_id, run_id, previous),) = query(
        published, "select release_id, run_id, previous_release_id from _release"
    )
    assert (release_id, run_id, previous) == (published.current.resolve().name, "run-1", None)
    assert query(published, "select landed_count, accepted_count from _inputs") == [(20, 20)]
    assert query(published, "select distinct verdict from _checks") == [("passed",)]
    assert os.readlink(published.current) == f"releases/{release_id}"


def test_only_the_columns_of_the_contract_are_published(published: Settings) -> None:
    columns = query(
        published, "select column_name from duckdb_columns() where table_name = 'dim_customers'"
    )
    assert columns == [("customer_id",), ("country",)]


def test_every_table_and_column_has_a_comment(published: Settings) -> None:
    assert not query(published, "select table_name from duckdb_tables() where comment is null")
    uncommented = "select table_name, column_name from duckdb_columns() where comment is null"
    assert not query(published, f"{uncommented} and not internal")


def test_every_column_is_described_in_columns(published: Settings) -> None:
    difference = """
        (
            select table_name, column_name, data_type
            from duckdb_columns() where not internal
        ) except (select table_name, column_name, data_type from _columns)"""
    assert query(published, difference) == []
    keys = "select column_name from _columns where is_key and table_name = 'fct_touchpoints'"
    assert query(published, keys) == [("touchpoint_id",)]


def test_nothing_in_a_release_can_be_written(published: Settings) -> None:
    release = published.current.resolve()
    assert stat.S_IMODE(release.stat().st_mode) == 0o555
    for path in release.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o555 if path.is_dir() else 0o444), path


def test_facts_are_one_file_a_month_and_sorted(published: Settings) -> None:
    folder = published.current / "parquet" / "fct_touchpoints"
    assert sorted(p.name for p in folder.iterdir()) == [
        "2025-10.parquet",
        "2025-11.parquet",
        "2025-12.parquet",
    ]
    rows = duckdb.sql(
        f"select occurred_at, touchpoint_id from '{folder}/2025-11.parquet'"
    ).fetchall()
    assert rows == sorted(rows)
    assert {row[0].month for row in rows} == {11}


def test_the_manifest_says_who_what_when_from_what(published: Settings) -> None:
    manifest = show_release(published)
    assert manifest["standing"] == "current"
    assert manifest["run_id"] == "run-1"
    assert manifest["as_of"] == "2026-01-05T00:00:00Z"
    assert manifest["created_at"] == "2026-01-05T03:00:00Z"
    assert manifest["tables"]["fct_touchpoints"]["rows"] == 300
    assert manifest["inputs"][0]["delivery_id"] == "2026-01-04T020000Z-aaaaaaaa"
    assert "journeyline.duckdb" in manifest["files"]
    assert all(check["verdict"] == "passed" for check in manifest["checks"])


def test_the_same_content_makes_no_new_release(published: Settings) -> None:
    before = published.current.resolve()
    again = publish(published, "run-2")
    assert (again.published, again.reason, again.release_id) == (False, SAME_CONTENT, before.name)
    assert [release.release_id for release in list_releases(published)] == [before.name]
    assert not (published.releases / ".staging").exists()


def test_equal_rows_give_equal_parquet_in_two_homes_whatever_their_order(
    published: Settings, tmp_path: Path
) -> None:
    other = publishing.make_home(tmp_path)
    publishing.change(
        other,
        "create table shuffled as select * from journey.fct_touchpoints order by handling_seconds;"
        "create or replace table journey.fct_touchpoints as from shuffled",
    )
    publish(other, "another-run")
    assert publishing.parquet_bytes(other) == publishing.parquet_bytes(published)
    assert other.current.resolve().name == published.current.resolve().name


def test_a_month_that_did_not_change_is_a_hard_link_to_the_release_before(tmp_path: Path) -> None:
    settings = publishing.make_home(tmp_path)
    publish(settings, "run-1")
    first = settings.current.resolve()
    publishing.add_night(settings)
    publish(settings, "run-2")
    second = settings.current.resolve()
    assert second != first
    facts = "parquet/fct_touchpoints"
    for name, is_same in (("2025-10", True), ("2025-11", True), ("2025-12", False)):
        path = f"{facts}/{name}.parquet"
        assert (first / path).samefile(second / path) is is_same, name
    assert verify_release(settings, first.name).files_count == 7
    assert verify_release(settings).release_id == second.name


def test_a_table_that_the_warehouse_lacks_is_named_and_nothing_is_published(
    tmp_path: Path,
) -> None:
    settings = publishing.make_home(tmp_path)
    publishing.change(settings, "drop table journey.fct_touchpoints")
    with pytest.raises(JourneylineError, match=r"journey\.fct_touchpoints") as raised:
        publish(settings, "run-1")
    assert raised.value.exit_code == 1
    assert not settings.current.exists()
    assert list_releases(settings) == []


def test_a_tampered_file_does_not_verify(published: Settings, tmp_path: Path) -> None:
    settings = publishing.make_home(tmp_path)
    publish(settings, "run-1")
    file = settings.current / "parquet" / "dim_customers" / "dim_customers.parquet"
    content = file.read_bytes()
    file.chmod(0o644)
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(JourneylineError, match="dim_customers") as raised:
        verify_release(settings)
    assert raised.value.exit_code == 1
    assert verify_release(published).bytes_count > 0


def test_a_tampered_file_does_not_spread_to_the_next_release(tmp_path: Path) -> None:
    settings = publishing.make_home(tmp_path)
    publish(settings, "run-1")
    file = settings.current / "parquet" / "dim_customers" / "dim_customers.parquet"
    file.chmod(0o644)
    file.write_bytes(b"not parquet")
    publishing.add_night(settings)
    publish(settings, "run-2")
    assert verify_release(settings).files_count == 7


def test_a_candidate_edited_after_the_audit_is_refused(tmp_path: Path) -> None:
    settings = publishing.make_home(tmp_path)

    def edit(step: str) -> None:
        if step == "audited":
            path = settings.releases / ".staging" / "candidate" / "journeyline.duckdb"
            with duckdb.connect(str(path)) as connection:
                connection.execute(
                    "update dim_customers set country = 'XX' where customer_id = 'c1'"
                )

    with pytest.raises(JourneylineError, match="not what was audited"):
        publish(settings, "run-1", on_step=edit)
    assert not settings.current.exists()
