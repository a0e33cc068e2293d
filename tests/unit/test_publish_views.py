"""A release too large for one file: the monthly tables are views over its own Parquet."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import duckdb
import publishing
import pytest

from orchestration.errors import JourneylineError
from orchestration.publish import journal
from orchestration.publish.publisher import STEPS, publish
from orchestration.publish.releases import list_releases, rollback, show_release, verify_release
from orchestration.publish.replacing import relocate_releases
from orchestration.settings import Settings


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home with two releases whose bound is passed by any Parquet."""
    settings = publishing.make_home(tmp_path_factory.mktemp("large"))
    path = settings.config / "releases.yml"
    text = path.read_text()
    path.write_text(text.replace("self_contained_gigabytes: 5", "self_contained_gigabytes: 0"))
    publish(settings, "run-1")
    publishing.add_night(settings)
    publish(settings, "run-2")
    return settings


def query(settings: Settings, sql: str) -> list[tuple[object, ...]]:
    path = settings.current / "journeyline.duckdb"
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_above_the_bound_monthly_tables_are_views_over_the_releases_own_parquet(
    large: Settings,
) -> None:
    views = query(large, "select view_name, comment from duckdb_views() where not internal")
    assert views == [("fct_touchpoints", "One row each. The fct_touchpoints.")]
    assert query(large, "select count(*) from fct_touchpoints") == [(301,)]
    assert query(large, "select distinct regexp_extract(filename, 'releases/[^/]*') from "
                 f"read_parquet('{large.current.resolve()}/parquet/fct_touchpoints/*', "
                 "filename = true)") == [(f"releases/{large.current.resolve().name}",)]  # fmt: skip
    assert show_release(large)["tables"]["fct_touchpoints"]["is_view"] is True
    assert verify_release(large).files_count == 7
    uncommented = "select column_name from duckdb_columns() where comment is null and not internal"
    assert query(large, uncommented) == []


def test_below_the_bound_the_file_can_be_taken_away_alone(tmp_path: Path) -> None:
    settings = publishing.make_home(tmp_path)
    publish(settings, "run-1")
    alone = tmp_path / "alone" / "journeyline.duckdb"
    alone.parent.mkdir()
    shutil.copyfile(settings.current / "journeyline.duckdb", alone)
    shutil.rmtree(settings.home / "landing", ignore_errors=True)
    with duckdb.connect(str(alone), read_only=True) as connection:
        assert connection.execute("select count(*) from fct_touchpoints").fetchone() == (300,)
        assert connection.execute("select count(*) from duckdb_views() where not internal"
                                  ).fetchone() == (0,)  # fmt: skip


def test_a_moved_home_is_mended_by_twins_and_nothing_is_edited(
    large: Settings, tmp_path: Path
) -> None:
    moved = publishing.copy_home(large, tmp_path)
    current = moved.current.resolve().name
    with pytest.raises(JourneylineError, match="releases relocate"):
        verify_release(moved)
    with pytest.raises(JourneylineError, match="releases relocate"):
        rollback(moved, by="ada", reason="test")
    report = relocate_releases(moved, by="ada", reason="a larger disk")
    assert len(report.replaced) == 2
    assert moved.current.resolve().name == report.replaced[current] == f"{current}-2"
    assert {r.release_id for r in list_releases(moved)} == set(report.replaced.values())
    for release in list_releases(moved):
        assert verify_release(moved, release.release_id).files_count == 7
    assert show_release(moved)["relocates"] == current
    assert str(moved.home) in str(query(moved, "select sql from duckdb_views() "
                                        "where view_name = 'fct_touchpoints'"))  # fmt: skip
    assert query(moved, "select count(*) from fct_touchpoints") == [(301,)]
    act = journal.read_acts(moved)[-1]
    assert (act["act"], act["by"], act["reason"]) == ("relocate", "ada", "a larger disk")
    assert relocate_releases(moved, by="ada", reason="again").replaced == {}
    assert rollback(moved, by="ada", reason="test").left_release_id == f"{current}-2"
    publishing.add_night(moved, 5)
    assert publish(moved, "run-3").published
    assert sorted(p.name for p in moved.releases.iterdir() if p.name.startswith(".")) == []


@pytest.mark.parametrize(
    "last_step",
    [
        "described",
        pytest.param("moved", marks=pytest.mark.slow),
        pytest.param("journalled", marks=pytest.mark.slow),
    ],
)
def test_a_publisher_of_views_that_dies_leaves_nothing(
    large: Settings, tmp_path: Path, last_step: str
) -> None:
    assert last_step in STEPS
    moved = publishing.copy_home(large, tmp_path)
    relocate_releases(moved, by="ada", reason="moved")
    publishing.add_night(moved, 5)

    def die(step: str) -> None:
        if step == last_step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publish(moved, "run-3", on_step=die)
    assert verify_release(moved).files_count == 7
    assert publish(moved, "run-4").published
    assert not [path for path in moved.releases.iterdir() if path.is_symlink()]
    assert len(list_releases(moved)) == 3


def test_a_link_under_the_releases_that_a_dead_run_left_is_cleared(
    large: Settings, tmp_path: Path
) -> None:
    moved = publishing.copy_home(large, tmp_path)
    os.symlink(".staging/candidate", moved.releases / "2026-01-09T000000Z-aaaaaaaaaaaa")
    relocate_releases(moved, by="ada", reason="moved")
    assert not [path for path in moved.releases.iterdir() if path.is_symlink()]


def test_months_whose_rows_did_not_change_are_not_written_again(tmp_path: Path) -> None:
    settings = publishing.make_home(tmp_path)
    publish(settings, "run-1")
    publishing.change(
        settings,
        "create table shuffled as from journey.fct_touchpoints order by hash(value_amount);"
        "create or replace table journey.fct_touchpoints as from shuffled;"
        "update journey.fct_touchpoints set handling_seconds = 1 where touchpoint_id = 't299'",
    )
    publish(settings, "run-2")
    files = show_release(settings)["files"]
    linked = {name: entry["is_linked"] for name, entry in files.items() if "is_linked" in entry}
    changed = {name for name, is_linked in linked.items() if not is_linked}
    assert changed == {"parquet/fct_touchpoints/2025-12.parquet"}
    assert files["parquet/fct_touchpoints/2025-11.parquet"]["fingerprint"]


def test_a_row_without_a_month_is_not_lost_but_found_by_the_audit(tmp_path: Path) -> None:
    settings = publishing.make_home(tmp_path)
    publishing.change(
        settings,
        "update journey.fct_touchpoints set occurred_at = null where touchpoint_id = 't1'",
    )
    with pytest.raises(JourneylineError, match=r"fct_touchpoints\.occurred_at\.not_null") as raised:
        publish(settings, "run-1")
    assert raised.value.exit_code == 3
