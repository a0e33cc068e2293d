"""A source that no one here wrote, added as docs/your-own-data.md says, without the demo."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from walkthrough import copy_tree, follow

pytestmark = pytest.mark.slow

# Users per step, as the data's own README states them.
USERS_PER_STEP = {
    "home": 586,
    "catalog": 600,
    "product_view": 598,
    "add_to_cart": 522,
    "cart": 489,
    "shipping_details": 441,
    "payment_details": 390,
    "purchase": 328,
}


@pytest.fixture(scope="module")
def shop(
    shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The release that the page leads to, from the shop's real click stream."""
    root = copy_tree(tmp_path_factory.mktemp("own") / "journeyline")
    shutil.copy(shared_data / "ecom" / "ecom.csv.gz", root / "clicks.csv.gz")
    typed = follow("your-own-data.md", root)
    assert any(command.endswith("journeyline run") for command in typed)
    release = root / "var" / "current" / "journeyline.duckdb"
    with duckdb.connect(str(release), read_only=True) as connection:
        yield connection


def test_the_shop_has_its_600_customers(shop: duckdb.DuckDBPyConnection) -> None:
    assert shop.execute("select count(*) from dim_customers").fetchone() == (600,)
    assert shop.execute(
        "select source, entity, count(*) from bridge_customer_records group by all"
    ).fetchall() == [("shop", "users", 600)]


def test_a_gap_of_thirty_minutes_gives_its_3605_sessions(shop: duckdb.DuckDBPyConnection) -> None:
    assert shop.execute("select count(*) from fct_sessions").fetchone() == (3605,)


def test_users_per_step_are_those_that_its_readme_states(shop: duckdb.DuckDBPyConnection) -> None:
    users = dict(
        shop.execute(
            "select touchpoint_type, count(distinct customer_id) from fct_touchpoints group by all"
        ).fetchall()
    )
    assert {step: users[step] for step in USERS_PER_STEP} == USERS_PER_STEP


def test_its_30_exact_duplicates_are_counted_and_not_taken(shop: duckdb.DuckDBPyConnection) -> None:
    assert shop.execute(
        "select landed_count, accepted_count, quarantined_count, duplicate_count from _inputs"
    ).fetchall() == [(31106, 31076, 0, 30)]
    assert shop.execute("select count(*) from fct_touchpoints").fetchone() == (31076,)
