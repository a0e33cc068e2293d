"""However many runs it took, the same landings publish the same bytes."""

from __future__ import annotations

import shutil
from datetime import timedelta

import pytest
from built_company import Built, current_release, ledger_hashes, parquet_hashes

from orchestration.gate.contracts import load_product_contracts
from orchestration.pipeline.night import run_nights
from orchestration.pipeline.state import waiting_nights
from orchestration.publish import database
from orchestration.publish.releases import list_releases
from orchestration.publish.row_hashes import are_enforced
from orchestration.settings import Settings


def test_a_second_run_with_nothing_new_publishes_nothing(built_home: Settings) -> None:
    before = current_release(built_home)
    report = run_nights(built_home)
    assert report.nothing_new
    assert current_release(built_home) == before
    assert len(list_releases(built_home)) == 1


def enforced(settings: Settings) -> set[str]:
    """Published tables whose rows' hashes the warehouse enforces."""
    contracts = load_product_contracts(settings.contracts / "products")
    spill = settings.home / "spill"
    with database.warehouse_attached(settings, contracts, spill) as (connection, found):
        return {
            contract.table
            for contract in contracts
            if are_enforced(connection, contract.schema, contract.table, found[contract.table])
        }


def test_nights_in_two_runs_publish_what_one_run_does(built: Built, landed_home: Settings) -> None:
    nights = waiting_nights(landed_home)
    run_nights(landed_home, until=nights[1])
    first = current_release(landed_home)
    assert parquet_hashes(landed_home) != parquet_hashes(built.settings)
    assert enforced(landed_home) == {"fct_service_steps", "fct_sessions", "fct_touchpoints"}
    run_nights(landed_home)
    assert current_release(landed_home) != first
    assert parquet_hashes(landed_home) == parquet_hashes(built.settings)
    assert enforced(landed_home) == {"fct_service_steps", "fct_sessions", "fct_touchpoints"}


@pytest.mark.slow
def test_nights_one_by_one_publish_what_one_run_does(built: Built, landed_home: Settings) -> None:
    for night in waiting_nights(landed_home):
        run_nights(landed_home, until=night)
    assert parquet_hashes(landed_home) == parquet_hashes(built.settings)
    assert ledger_hashes(landed_home) == ledger_hashes(built.settings)


@pytest.mark.slow
def test_a_lost_ledger_is_folded_from_the_landings_to_the_same_bytes(
    built: Built, built_home: Settings
) -> None:
    before = ledger_hashes(built_home)
    assert before
    shutil.rmtree(built_home.home / "identity")
    run_nights(built_home, full_refresh=True, refold_identity=True)
    assert ledger_hashes(built_home) == before
    assert parquet_hashes(built_home) == parquet_hashes(built.settings)


def test_a_rebuild_from_landings_publishes_the_same_bytes_and_as_of_does_not_go_back(
    built: Built, built_home: Settings
) -> None:
    before = current_release(built_home)
    oldest = built.report.nights[0] - timedelta(days=1)
    report = run_nights(built_home, until=oldest, full_refresh=True)
    assert not report.nothing_new
    assert report.load is not None
    assert built.report.load is not None
    assert report.load.as_of == built.report.load.as_of
    assert current_release(built_home) == before
    assert parquet_hashes(built_home) == parquet_hashes(built.settings)
