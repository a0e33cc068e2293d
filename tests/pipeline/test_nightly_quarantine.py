"""Rows that break their contract, and sources past their bound: only what was bad is left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from built_company import DERIVED, STATE, Built, copy_home, current_release, parquet_hashes
from landing_rows import land_users, next_night, support_user

from orchestration import warehouse
from orchestration.ingest.quarantine import (
    act_on_quarantine,
    list_quarantine,
    show_quarantine,
)
from orchestration.pipeline.night import RunReport, nothing_waits, run_nights
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


@dataclass(frozen=True)
class BadNight:
    """Two nights of deliveries of the support desk's users, in one run.

    Args:
        settings: The home.
        report: What the run did.
        counts: Rows in quarantine before it, by source, entity and rule.
        broken: A delivery with two broken rows of sixty.
        past_bound: One with twenty of sixty.
        wider: One with a column that nobody announced.
        good: One of the night after, with nothing wrong.
    """

    settings: Settings
    report: RunReport
    counts: dict[tuple[str, str, str], int]
    broken: str
    past_bound: str
    wider: str
    good: str


def counted(settings: Settings) -> dict[tuple[str, str, str], int]:
    """Rows in quarantine, by source, entity and rule."""
    return {(g.source, g.entity, g.rule): g.row_count for g in list_quarantine(settings)}


@pytest.fixture(scope="module")
def bad_night(built: Built, tmp_path_factory: pytest.TempPathFactory) -> BadNight:
    """One run over all of it; the tests only look."""
    folder = tmp_path_factory.mktemp("bad_night")
    settings = copy_home(built.settings, folder / "home", (*STATE, *DERIVED))
    counts = counted(settings)
    broken = [support_user(910_000 + n) for n in range(60)]
    broken[7]["created_at"] = "soon"
    broken[8]["id"] = None
    past_bound = [support_user(920_000 + n) for n in range(60)]
    for user in past_bound[:20]:
        user["created_at"] = "soon"
    wider = [support_user(940_000, shoe_size=44)]
    deliveries = [
        land_users(settings, folder, users, next_night(built))
        for users in (broken, past_bound, wider)
    ]
    good = land_users(settings, folder, [support_user(930_000)], next_night(built, later=1))
    return BadNight(settings, run_nights(settings), counts, *deliveries, good)


def test_broken_rows_wait_in_quarantine_and_the_others_are_published(bad_night: BadNight) -> None:
    settings, users = bad_night.settings, published_users(bad_night.settings)
    assert users >= {str(910_000 + n) for n in range(60) if n not in (7, 8)}
    assert not users & {"910007", "910008"}
    assert inputs_of(settings, bad_night.broken) == ("loaded", 60, 58, 2, None)
    # the two, and all of the delivery that was held
    assert sum(counted(settings).values()) - sum(bad_night.counts.values()) == 2 + 60
    shown = show_quarantine(settings, "zendesk", limit=200)
    rows = [row for row in shown if row.delivery_id == bad_night.broken]
    assert {row.column_name for row in rows} == {"created_at", "user_id"}
    assert all('"New Person"' in row.payload for row in rows)


def test_a_source_past_its_bound_stays_at_its_last_good_data_and_is_named(
    built: Built, bad_night: BadNight
) -> None:
    report, settings = bad_night.report, bad_night.settings
    assert report.load is not None
    assert report.load.held_sources == ["zendesk"]
    assert report.publication is not None
    assert report.publication.published
    users = published_users(settings)
    assert users >= published_users(built.settings) | {"930000"}
    assert not users & {str(920_000 + n) for n in range(60)}
    row = inputs_of(settings, bad_night.past_bound)
    assert row is not None
    assert row[:4] == ("held", 60, 0, 60)
    assert "bound" in str(row[4])
    assert inputs_of(settings, bad_night.good) == ("loaded", 1, 1, 0, None)


def test_a_column_that_nobody_announced_is_recorded_and_the_night_goes_on(
    bad_night: BadNight,
) -> None:
    assert "940000" in published_users(bad_night.settings)
    connection = warehouse.connect(bad_night.settings.warehouse, read_only=True)
    changes = connection.execute(
        "select column_name, change from ingest.drift where delivery_id = ?", [bad_night.wider]
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
