"""Rows that break their contract, and sources past their bound: only what was bad is left out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from built_company import Built, current_release, parquet_hashes
from landing_rows import land_users, next_night, support_user

from orchestration import warehouse
from orchestration.ingest.quarantine import (
    act_on_quarantine,
    list_quarantine,
    show_quarantine,
)
from orchestration.pipeline.night import nothing_waits, run_nights
from orchestration.settings import Settings


def published_users(settings: Settings) -> set[str]:
    """Support users whom the current release knows."""
    connection = warehouse.connect(settings.current / "journeyline.duckdb", read_only=True)
    rows = connection.execute(
        "select record_id from bridge_customer_records where source = 'zendesk'"
    ).fetchall()
    connection.close()
    return {record_id for (record_id,) in rows}


def inputs_of(settings: Settings, delivery_id: str) -> tuple[object, ...] | None:
    """What the current release says about a delivery."""
    with duckdb.connect(str(settings.current / "journeyline.duckdb"), read_only=True) as connection:
        return connection.execute(
            """select status, landed_count, accepted_count, quarantined_count, reason
            from _inputs where delivery_id = ?""",
            [delivery_id],
        ).fetchone()


def test_broken_rows_wait_in_quarantine_and_the_others_are_published(
    built: Built, built_home: Settings, tmp_path: Path
) -> None:
    users = [support_user(910_000 + n) for n in range(60)]
    users[7]["created_at"] = "soon"
    users[8]["id"] = None
    before = {(g.source, g.entity, g.rule): g.row_count for g in list_quarantine(built_home)}
    delivery = land_users(built_home, tmp_path, users, next_night(built))
    report = run_nights(built_home)
    assert report.load is not None
    assert (report.load.accepted, report.load.quarantined) == (58, 2)
    assert report.load.held_sources == []
    assert published_users(built_home) >= {str(910_000 + n) for n in range(60) if n not in (7, 8)}
    assert not published_users(built_home) & {"910007", "910008"}
    assert inputs_of(built_home, delivery) == ("loaded", 60, 58, 2, None)
    after = {(g.source, g.entity, g.rule): g.row_count for g in list_quarantine(built_home)}
    assert sum(after.values()) - sum(before.values()) == 2
    rows = [r for r in show_quarantine(built_home, "zendesk") if r.delivery_id == delivery]
    assert {row.column_name for row in rows} == {"created_at", "user_id"}
    assert all('"New Person"' in row.payload for row in rows)


def test_a_source_past_its_bound_stays_at_its_last_good_data_and_is_named(
    built: Built, built_home: Settings, tmp_path: Path
) -> None:
    users = [support_user(920_000 + n) for n in range(60)]
    for user in users[:20]:
        user["created_at"] = "soon"
    before = published_users(built_home)
    bad = land_users(built_home, tmp_path, users, next_night(built))
    good = land_users(built_home, tmp_path, [support_user(930_000)], next_night(built, later=1))
    report = run_nights(built_home)
    assert report.load is not None
    assert report.load.held_sources == ["zendesk"]
    assert report.publication is not None
    assert report.publication.published
    assert published_users(built_home) == before | {"930000"}
    row = inputs_of(built_home, bad)
    assert row is not None
    assert row[:4] == ("held", 60, 0, 60)
    assert "bound" in str(row[4])
    assert inputs_of(built_home, good) == ("loaded", 1, 1, 0, None)


def test_a_column_that_nobody_announced_is_recorded_and_the_night_goes_on(
    built: Built, built_home: Settings, tmp_path: Path
) -> None:
    delivery = land_users(
        built_home, tmp_path, [support_user(940_000, shoe_size=44)], next_night(built)
    )
    assert run_nights(built_home).publication is not None
    assert "940000" in published_users(built_home)
    connection = warehouse.connect(built_home.warehouse, read_only=True)
    changes = connection.execute(
        "select column_name, change from ingest.drift where delivery_id = ?", [delivery]
    ).fetchall()
    connection.close()
    assert changes == [("shoe_size", "added")]


@pytest.mark.slow
def test_a_source_whose_drift_policy_is_stop_stays_at_its_last_good_data(
    built: Built,
    built_home: Settings,
    project_copy: Callable[[Settings], Settings],
    tmp_path: Path,
) -> None:
    settings = project_copy(built_home)
    contract = settings.contracts / "sources" / "zendesk.users.odcs.yaml"
    text = contract.read_text(encoding="utf-8")
    stopped = text.replace(
        "property: driftPolicy\n    value: evolve", "property: driftPolicy\n    value: stop"
    )
    assert stopped != text
    contract.write_text(stopped, encoding="utf-8")
    drifted = land_users(
        settings, tmp_path, [support_user(950_000, shoe_size=44)], next_night(built)
    )
    as_before = land_users(settings, tmp_path, [support_user(950_001)], next_night(built, later=1))
    report = run_nights(settings)
    assert report.load is not None
    assert report.load.held_sources == ["zendesk"]
    assert published_users(settings) & {"950000", "950001"} == {"950001"}
    row = inputs_of(settings, drifted)
    assert row is not None
    assert row[:4] == ("held", 1, 0, 1)
    assert "shoe_size added" in str(row[4])
    assert inputs_of(settings, as_before) == ("loaded", 1, 1, 0, None)


@pytest.mark.slow
def test_what_was_held_is_published_after_its_replay_and_a_full_refresh_agrees(
    built: Built, built_home: Settings, tmp_path: Path
) -> None:
    users = [support_user(960_000 + n) for n in range(60)]
    for user in users[:20]:
        user["created_at"] = "soon"
    bad = land_users(built_home, tmp_path, users, next_night(built))
    run_nights(built_home)
    replayed = act_on_quarantine(built_home, "replay", bad, None)
    assert not nothing_waits(built_home)
    report = run_nights(built_home)
    assert report.load is not None and report.publication is not None
    assert (report.load.accepted, report.publication.published) == (40, True)
    assert report.load.as_of == replayed.at
    assert published_users(built_home) >= {str(960_000 + n) for n in range(20, 60)}
    assert inputs_of(built_home, bad) == ("loaded", 60, 40, 20, None)
    hashes, release = parquet_hashes(built_home), current_release(built_home)
    again = run_nights(built_home, full_refresh=True)
    assert again.publication is not None and not again.publication.published
    assert (parquet_hashes(built_home), current_release(built_home)) == (hashes, release)
