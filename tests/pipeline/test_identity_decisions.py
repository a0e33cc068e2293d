"""A person splits a customer: everything downstream is restated, for just those customers."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest
from built_company import DERIVED, STATE, Built, copy_home, parquet_hashes

from orchestration.errors import JourneylineError
from orchestration.pipeline.night import run_nights
from orchestration.settings import REPO_ROOT, Settings
from orchestration.unify.decisions import Decision, load_decisions
from orchestration.unify.explain import Why, explain
from orchestration.unify.review import decide

# What tells of the change itself, for ever.
CHRONICLES = {"fct_identity_history", "bridge_customer_aliases"}
HOUSEHOLDS = "bridge_customer_households"
CHOSEN = """
select min(customer_id) from (
    select customer_id from bridge_customer_records
    inner join fct_journeys using (customer_id)
    group by customer_id
    having count(distinct (source, record_id)) >= 3
)
"""


def own_project(settings: Settings, folder: Path) -> Settings:
    """The same home under a project whose configuration may be changed."""
    shutil.copytree(REPO_ROOT / "orchestration" / "config", folder / "orchestration" / "config")
    for name in ("dbt_project", "data_contracts"):
        (folder / name).symlink_to(REPO_ROOT / name)
    return Settings(home=settings.home, repo_root=folder)


def tables_of(settings: Settings) -> dict[str, list[tuple[object, ...]]]:
    """Rows of every published table of the current release, in one order."""
    found = {}
    with duckdb.connect() as connection:
        for table, files in files_of(settings).items():
            query = "select * from read_parquet(?) order by all"
            found[table] = connection.execute(query, [files]).fetchall()
    return found


def customers_in(settings: Settings, table: str) -> int | None:
    """The place of `customer_id` among a table's columns."""
    with duckdb.connect() as connection:
        path = files_of(settings)[table][0]
        names = [row[0] for row in connection.execute(f"describe from '{path}'").fetchall()]
    return names.index("customer_id") if "customer_id" in names else None


def files_of(settings: Settings) -> dict[str, list[str]]:
    """The Parquet files of each table; one with months has a file a month."""
    folder = settings.current.resolve() / "parquet"
    found: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("*.parquet")):
        table = path.relative_to(folder).parts[0].removesuffix(".parquet")
        found.setdefault(table, []).append(str(path))
    return found


@pytest.fixture(scope="module")
def story(built: Built, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Before, split, and taken back."""
    folder = tmp_path_factory.mktemp("decided")
    home = copy_home(built.settings, folder / "home", (*STATE, *DERIVED))
    settings = own_project(home, folder / "project")
    before = tables_of(settings)
    with duckdb.connect(str(settings.current / "journeyline.duckdb"), read_only=True) as release:
        row = release.execute(CHOSEN).fetchone()
        assert row is not None
        customer = str(row[0])
        records = [
            "/".join(record)
            for record in release.execute(
                "select source, entity, record_id from bridge_customer_records "
                "where customer_id = ? order by all",
                [customer],
            ).fetchall()
        ]
    chain = explain(settings, records[0], records[-1])
    decided = decide(
        settings, "cannot_link", records[0], records[-1], author="jane", reason="two siblings"
    )
    run_nights(settings)
    parted = explain(settings, records[0], records[-1])
    after = tables_of(settings)
    (settings.config / "identity_decisions.yml").write_text("decisions: []\n", "utf-8")
    run_nights(settings)
    return {
        "settings": settings, "customer": customer, "records": records, "chain": chain,
        "decided": decided, "parted": parted, "before": before, "after": after,
        "taken_back": tables_of(settings),
    }  # fmt: skip


def test_the_two_records_are_two_customers_and_why_says_so(story: dict[str, object]) -> None:
    chain, parted = story["chain"], story["parted"]
    assert isinstance(chain, Why) and isinstance(parted, Why)
    assert chain.is_one_customer
    assert chain.chain[0].records[0] == story["records"][0]  # type: ignore[index]
    assert not parted.is_one_customer
    assert set(parted.left_customers).isdisjoint(parted.right_customers)
    assert any("cannot_link" in refusal.reason for refusal in parted.refused)


def test_nobody_else_is_touched_in_any_table(story: dict[str, object]) -> None:
    parted, settings = story["parted"], story["settings"]
    before, after = story["before"], story["after"]
    assert isinstance(parted, Why) and isinstance(settings, Settings)
    assert isinstance(before, dict) and isinstance(after, dict)
    both = {*parted.left_customers, *parted.right_customers}
    assert story["customer"] in both
    restated = set()
    for table in before:
        place = customers_in(settings, table)
        if place is None:
            continue
        for state in (before, after):
            assert state[table] or table in CHRONICLES
        others = [
            [row for row in state[table] if row[place] not in both] for state in (before, after)
        ]
        if table == HOUSEHOLDS:
            # Who shares a household, its first column, with one of them lives with a person more,
            # or less, from now on.
            theirs = {
                row[0] for state in (before, after) for row in state[table] if row[place] in both
            }
            others = [[row for row in rows if row[0] not in theirs] for rows in others]
        assert others[0] == others[1], table
        if before[table] != after[table]:
            restated.add(table)
    assert {"bridge_customer_records", "dim_customers", "fct_identity_history"} <= restated


def test_the_history_names_the_person_and_never_an_identifier(story: dict[str, object]) -> None:
    after, decided = story["after"], story["decided"]
    assert isinstance(after, dict) and isinstance(decided, Decision)
    acts = [row for row in after["fct_identity_history"] if "split" in row]
    assert len(acts) == 1
    assert {"cannot_link", decided.decision_id, "jane"} <= set(acts[0])


@pytest.mark.slow
def test_a_full_refresh_publishes_the_same_bytes(built_home: Settings, tmp_path: Path) -> None:
    settings = own_project(built_home, tmp_path / "project")
    with duckdb.connect(str(settings.current / "journeyline.duckdb"), read_only=True) as release:
        rows = release.execute(
            "select source, entity, record_id from bridge_customer_records "
            f"where customer_id = ({CHOSEN}) order by all"
        ).fetchall()
    ends = ["/".join(rows[0]), "/".join(rows[-1])]
    decide(settings, "cannot_link", *ends, author="jane", reason="two siblings")
    run_nights(settings)
    files = parquet_hashes(settings)
    run_nights(settings, full_refresh=True)
    assert parquet_hashes(settings) == files


def test_taking_the_decision_back_gives_everything_back(story: dict[str, object]) -> None:
    before, taken_back = story["before"], story["taken_back"]
    assert isinstance(before, dict) and isinstance(taken_back, dict)
    for table, rows in before.items():
        if table not in CHRONICLES:
            assert taken_back[table] == rows, table


def test_a_pair_is_decided_once_and_only_if_it_changes_something(
    story: dict[str, object],
) -> None:
    settings, records = story["settings"], story["records"]
    assert isinstance(settings, Settings) and isinstance(records, list)
    with pytest.raises(JourneylineError, match="one customer already") as caught:
        decide(settings, "must_link", records[0], records[-1], author="jane", reason="x")
    assert caught.value.exit_code == 2
    with pytest.raises(JourneylineError, match="No record bears"):
        decide(settings, "must_link", records[0], "nobody@nowhere", author="jane", reason="x")
    assert load_decisions(settings) == []
