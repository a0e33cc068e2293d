"""From landings to a release, against the demo company's truth."""

from __future__ import annotations

import hashlib
from pathlib import Path

import duckdb

from orchestration.pipeline.night import run_nights
from orchestration.publish.releases import verify_release
from orchestration.settings import Settings


def _parquet_hashes(settings: Settings) -> dict[str, str]:
    folder: Path = settings.current.resolve() / "parquet"
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.parquet"))
    }


def _number(connection: duckdb.DuckDBPyConnection, query: str) -> float:
    row = connection.execute(query).fetchone()
    assert row is not None
    return float(row[0])


def test_every_record_of_the_truth_is_in_the_bridge_and_no_other(
    release: duckdb.DuckDBPyConnection,
) -> None:
    difference = """
        select count(*) from (
            (select source, entity, record_id from {0}
             except select source, entity, record_id from {1})
        )
    """
    bridge = "release.bridge_customer_records"
    assert _number(release, difference.format("truth_records", bridge)) == 0
    assert _number(release, difference.format(bridge, "truth_records")) == 0


def test_deterministic_identity_is_precise_and_finds_most_pairs(
    release: duckdb.DuckDBPyConnection,
) -> None:
    release.execute(
        """
        create table resolved as
        select truth_records.person_id, bridge.customer_id
        from truth_records
        inner join release.bridge_customer_records as bridge
            using (source, entity, record_id)
        """
    )
    pairs = "select sum(n * (n - 1) / 2) from (select count(*) as n from resolved group by {})"
    right = _number(release, pairs.format("person_id, customer_id"))
    assert right / _number(release, pairs.format("customer_id")) >= 0.99
    assert right / _number(release, pairs.format("person_id")) >= 0.80


def test_no_event_is_lost_or_doubled(release: duckdb.DuckDBPyConnection) -> None:
    planted = _number(release, "select count(*) from truth_events")
    held = _number(
        release,
        """
        select (select count(*) from release.fct_touchpoints)
            + (select count(*) from release.fct_unattributed_touchpoints)
        """,
    )
    assert held == planted


def test_stage_entries_are_the_planted_ones_where_identity_is_right(
    release: duckdb.DuckDBPyConnection,
) -> None:
    release.execute(
        """
        create table whole as
        with resolved as (
            select truth_records.person_id, bridge.customer_id
            from truth_records
            inner join release.bridge_customer_records as bridge
                using (source, entity, record_id)
        )
        select person_id, min(customer_id) as customer_id
        from resolved
        group by person_id
        having count(distinct customer_id) = 1
            and min(customer_id) in (
                select customer_id from resolved
                group by customer_id having count(distinct person_id) = 1
            )
        """
    )
    planted = """
        select whole.customer_id, visits.stage, visits.entered_at, visits.left_at
        from truth_stage_visits as visits
        inner join whole using (person_id)
        where visits.journey = 'trial_to_paid'
    """
    found = """
        select stages.customer_id, stages.stage, stages.entered_at, stages.left_at
        from release.fct_journey_stages as stages
        inner join whole using (customer_id)
        where stages.journey = 'trial_to_paid'
    """
    assert _number(release, f"select count(*) from ({planted})") > 50
    assert _number(release, f"select count(*) from ({planted} except all {found})") == 0
    assert _number(release, f"select count(*) from ({found} except all {planted})") == 0


def test_the_row_ledger_balances(release: duckdb.DuckDBPyConnection) -> None:
    assert _number(release, "select sum(quarantined_count) from release._inputs") > 0
    assert (
        _number(
            release,
            """
            select count(*) from release._inputs
            where landed_count
                <> accepted_count + quarantined_count + duplicate_count + erased_count
            """,
        )
        == 0
    )


def test_a_second_run_finds_nothing_new_and_publishes_nothing(built: Settings) -> None:
    before = built.current.resolve()
    assert run_nights(built).nothing_new
    assert built.current.resolve() == before


def test_the_release_verifies(built: Settings) -> None:
    verify_release(built, "current")


def test_everything_derived_can_be_deleted_and_the_same_bytes_come_back(built: Settings) -> None:
    before = _parquet_hashes(built)
    run_nights(built, full_refresh=True)
    assert _parquet_hashes(built) == before
    assert before
