"""A vendor added as docs/add-a-source.md says, and its bad night."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from walkthrough import copy_tree, follow

from orchestration.ingest.derived import drifted_files
from orchestration.settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The copy of the project in which the page was followed."""
    root = copy_tree(tmp_path_factory.mktemp("added") / "journeyline")
    typed = follow("add-a-source.md", root)
    assert sum(command.endswith("journeyline run") for command in typed) == 3
    return root


@pytest.fixture(scope="module")
def release(tree: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    path = tree / "var" / "current" / "journeyline.duckdb"
    with duckdb.connect(str(path), read_only=True) as connection:
        yield connection


def test_its_rows_are_touchpoints_of_customers(release: duckdb.DuckDBPyConnection) -> None:
    assert release.execute(
        "select touchpoint_type, count(*), count(distinct customer_id) from fct_touchpoints"
        " where source = 'amplitude' group by all order by all"
    ).fetchall() == [("report_opened", 1, 1), ("sign_up", 3, 3), ("trial_started", 1, 1)]
    assert release.execute(
        "select record_id from bridge_customer_records where source = 'amplitude' order by 1"
    ).fetchall() == [("u-100",), ("u-200",), ("u-300",), ("u-500",)]


def test_the_replayed_row_keeps_its_time_and_the_ledger_balances(
    release: duckdb.DuckDBPyConnection,
) -> None:
    ((occurred_at, known_at),) = release.execute(
        "select min(occurred_at)::text, min(known_at) > timestamp '2025-01-22'"
        " from fct_touchpoints inner join bridge_customer_records using (customer_id)"
        " where record_id = 'u-300'"
    ).fetchall()
    assert (occurred_at[:19], known_at) == ("2025-01-16 10:00:00", True)
    assert release.execute(
        "select status, landed_count, accepted_count, quarantined_count from _inputs order by 2, 3"
    ).fetchall() == [("loaded", 3, 2, 1), ("loaded", 3, 3, 0)]


def test_nothing_derived_has_drifted(tree: Path) -> None:
    assert drifted_files(Settings(home=tree / "var", repo_root=tree)) == []
