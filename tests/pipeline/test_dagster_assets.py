"""What an engineer does in the UI: one asset, a subset, a past partition, everything twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest
from built_company import DERIVED, STATE, Built, copy_home, current_release, parquet_hashes
from dagster_home import materialize
from support_user import land_person

from orchestration import warehouse
from orchestration.demo.company import deliver_next_night
from orchestration.pipeline.night import nothing_waits, run_nights
from orchestration.pipeline.state import current_as_of, waiting_deliveries
from orchestration.publish.releases import list_releases
from orchestration.settings import Settings

CONTACTS = "raw/hubspot__contacts"
AUDIT, RELEASE = "gate/audit", "releases/current"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def test_one_asset_alone_changes_nothing_that_is_published(
    built: Built, built_home: Settings, instance: dg.DagsterInstance
) -> None:
    release, hashes = current_release(built_home), parquet_hashes(built_home)
    as_of = current_as_of(built_home)

    # The partition that the UI offers first: today's, years after the company's last night.
    one_table = materialize(built_home, instance, _today(), CONTACTS)
    assert one_table.run.is_success
    assert set(one_table.metadata) == {CONTACTS}
    assert one_table.metadata[CONTACTS]["dagster/row_count"] > 100
    assert one_table.metadata[CONTACTS]["accepted_rows"] == 0
    assert current_as_of(built_home) == as_of

    one_mart = materialize(built_home, instance, built.report.nights[0], "journey/fct_journeys")
    assert one_mart.run.is_success
    assert set(one_mart.metadata) == {"journey/fct_journeys"}
    assert one_mart.metadata["journey/fct_journeys"]["dagster/row_count"] > 50
    assert one_mart.checks
    assert all(check.passed for check in one_mart.checks.values())
    assert {name.split(":")[0] for name in one_mart.checks} == {"journey/fct_journeys"}

    published = materialize(built_home, instance, built.report.nights[1], RELEASE, AUDIT)
    assert published.run.is_success
    assert published.metadata[RELEASE]["published"] is False
    assert published.metadata[RELEASE]["reason"] == "same content"
    assert len(published.checks) > 10
    assert nothing_waits(built_home)
    assert current_release(built_home) == release
    assert parquet_hashes(built_home) == hashes


def test_a_past_partition_takes_what_is_missing_there_and_publishes_at_the_current_as_of(
    built: Built, built_home: Settings, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    before, as_of = current_release(built_home), current_as_of(built_home)
    past = built.report.nights[1]
    land_person(built_home, tmp_path, "990101", datetime(past.year, past.month, past.day, 5))
    outcome = materialize(built_home, instance, past)
    assert outcome.run.is_success, outcome.failures
    assert not waiting_deliveries(built_home)
    assert current_as_of(built_home) == as_of
    assert current_release(built_home) != before
    release = outcome.metadata[RELEASE]
    assert release["release"] == current_release(built_home)
    assert release["published"] is True
    assert release["folder"] == str(built_home.current.resolve())
    assert outcome.metadata["raw/zendesk__users"]["accepted_rows"] == 1
    assert outcome.metadata["raw/zendesk__tickets"]["accepted_rows"] == 0
    assert outcome.metadata["identity/customers"]["created"] == 1
    without_rows = {
        name for name, data in outcome.metadata.items() if "dagster/row_count" not in data
    }
    assert without_rows == set()
    assert all(data["seconds"] >= 0 for data in outcome.metadata.values())
    assert {
        name: value for name, value in outcome.run.tags.items() if name.startswith("journeyline/")
    } == {
        "journeyline/accepted_rows": "1",
        "journeyline/quarantined_rows": "0",
        "journeyline/duplicate_rows": "0",
        "journeyline/refused_deliveries": "0",
        "journeyline/release": current_release(built_home),
        "journeyline/published": "True",
    }


@pytest.mark.slow
def test_steps_materialized_out_of_order_lose_nothing_and_everything_twice_publishes_once(
    built: Built, built_home: Settings, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    """Marts built before the id ledger had seen the load once moved the mark past its rows."""
    night = deliver_next_night(built_home)
    clean = copy_home(built_home, tmp_path / "clean", (*STATE, *DERIVED))
    run_nights(clean)
    before = current_release(built_home)

    assert materialize(built_home, instance, night, CONTACTS).run.is_success
    assert not waiting_deliveries(built_home)
    job_keys = _keys_of(built_home, "build_customers")
    assert materialize(built_home, instance, night, *job_keys).run.is_success
    behind = materialize(built_home, instance, night, AUDIT, RELEASE)
    assert not behind.run.is_success
    assert "The marts are behind" in behind.failures[0]
    assert behind.count("STEP_UP_FOR_RETRY") == 0
    assert current_release(built_home) == before

    everything = materialize(built_home, instance, night)
    assert everything.run.is_success, everything.failures
    assert parquet_hashes(built_home) == parquet_hashes(clean)
    assert current_release(built_home) == current_release(clean) != before

    again = materialize(built_home, instance, night)
    assert again.run.is_success, again.failures
    assert set(again.metadata) == set(everything.metadata)
    assert again.metadata[RELEASE]["published"] is False
    assert again.metadata[RELEASE]["release"] == current_release(clean)
    assert len(list_releases(built_home)) == 2


def test_a_failing_audit_shows_which_rule_failed_and_keeps_the_release(
    built: Built, built_home: Settings, instance: dg.DagsterInstance
) -> None:
    before = current_release(built_home)
    connection = warehouse.connect(built_home.warehouse)
    connection.execute(
        "update journey.fct_journeys set outcome = 'vanished' where outcome = 'expired'"
    )
    broken = connection.execute(
        "select count(*) from journey.fct_journeys where outcome = 'vanished'"
    ).fetchone()
    connection.close()
    assert broken is not None
    assert broken[0] > 0
    outcome = materialize(built_home, instance, built.report.nights[-1], AUDIT, RELEASE)
    assert not outcome.run.is_success
    assert outcome.count("STEP_UP_FOR_RETRY") == 0
    assert current_release(built_home) == before
    assert set(outcome.metadata) == {AUDIT}
    failed = {name: check for name, check in outcome.checks.items() if not check.passed}
    assert set(failed) == {f"{AUDIT}:fct_journeys"}
    check = failed[f"{AUDIT}:fct_journeys"]
    assert check.blocking
    assert check.severity == dg.AssetCheckSeverity.ERROR
    rules = {record.data["rule"]: record.data for record in check.metadata["examples"].records}
    assert check.metadata["failed"].value == ", ".join(rules)
    (rule,) = (rule for name, rule in rules.items() if "outcome" in name)
    assert rule["rows that break it"] == broken[0]
    assert "outcome=vanished" in rule["such as"]
    assert "outcome" in outcome.failures[0]
    assert outcome.run.tags["journeyline/refused_by_gate"] == "true"


def _keys_of(settings: Settings, name: str) -> list[str]:
    from orchestration.defs.assembly import assemble

    for asset in assemble(settings).assets or []:
        if isinstance(asset, dg.AssetsDefinition) and asset.op.name == name:
            return [key.to_user_string() for key in asset.keys]
    raise AssertionError(name)


def _today() -> date:
    return datetime.now(UTC).date()
