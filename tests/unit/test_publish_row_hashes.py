"""A month that changed is never linked: what its rows carry tells, and nothing else is believed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb
import publishing
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from orchestration.gate.contracts import load_product_contracts
from orchestration.publish import database, files, manifest, parquet, proved, row_hashes
from orchestration.publish.publisher import publish
from orchestration.publish.releases import verify_release
from orchestration.publish.staging import stage
from orchestration.settings import Settings

TABLE = "journey.fct_touchpoints"
TYPES = {
    "touchpoint_id": "varchar",
    "customer_id": "varchar",
    "direction": "varchar",
    "handling_seconds": "bigint",
    "value_amount": "decimal(18, 4)",
    "occurred_at": "timestamp",
}
HASH = row_hashes.row_hash(list(TYPES))
CHECK = row_hashes.check(list(TYPES))
OLD, MIDDLE, NEW = (f"parquet/fct_touchpoints/2025-{month}.parquet" for month in (10, 11, 12))


def made_anew(rows: str, *, check: str = CHECK) -> str:
    """SQL that makes the table of other rows, with a check or, where that is empty, without one."""
    columns = ", ".join(f"{name} {kind}" for name, kind in TYPES.items())
    listed = ", ".join(filter(None, [columns, "row_hash bigint", check]))
    return (
        f"create table anew ({listed}); insert into anew {rows};"
        f"drop table {TABLE}; create table {TABLE} ({listed});"
        f"insert into {TABLE} from anew; drop table anew"
    )


def hashed(rows: str) -> str:
    """SQL of rows with the hashes that are theirs."""
    return f"select {', '.join(TYPES)}, {HASH} as row_hash from ({rows})"


def restated(where: str, replaced: str) -> str:
    """SQL that takes rows out and puts them in again with another value, as the models do."""
    return (
        f"create temp table taken as select * replace ({replaced}) from {TABLE} where {where};"
        f"delete from {TABLE} where {where}; insert into {TABLE} {hashed('from taken')}"
    )


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home with a release, whose touchpoints lie in three months and carry their hashes."""
    settings = publishing.make_home(tmp_path_factory.mktemp("released"))
    publishing.change(settings, made_anew(hashed(f"from {TABLE}")))
    publish(settings, "run-1")
    return settings


@pytest.fixture
def settings(released: Settings, tmp_path: Path) -> Settings:
    return publishing.copy_home(released, tmp_path)


@dataclass(frozen=True)
class Candidate:
    """What was staged beside what it would have been with nothing known."""

    folder: Path
    is_believed: bool
    linked: set[str]
    entries: dict[str, dict[str, object]]


def staged_as_anew(settings: Settings, served: parquet.Served | None, name: str) -> Candidate:
    """Stage a candidate, and prove that it has the bytes of one that writes everything."""
    contracts = load_product_contracts(settings.contracts / "products")
    spill = settings.home / "spill"
    folders = [settings.home / f"{name}-{kind}" for kind in ("known", "anew")]
    for folder in folders:
        files.remove_tree(folder)
        folder.mkdir()
    staged = stage(settings, contracts, folders[0], spill, served=served)
    anew = stage(settings, contracts, folders[1], spill)
    assert staged.rows == anew.rows
    for name in set(staged.hashes) | set(anew.hashes):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name
    assert staged.hashes == {path: files.sha256_of(folders[0] / path) for path in staged.hashes}
    with database.warehouse_attached(settings, contracts, spill) as (connection, found):
        columns = found["fct_touchpoints"]
        believed = row_hashes.are_enforced(connection, "journey", "fct_touchpoints", columns)
    linked = {p.path for p in staged.parts if p.is_linked and p.table == "fct_touchpoints"}
    return Candidate(folders[0], believed, linked, manifest.describe_files(staged))


def served_by(settings: Settings) -> parquet.Served:
    served = proved.served_release(settings, manifest.read_manifest(settings.current.resolve()))
    assert served is not None
    return served


STALE = (
    "select * replace (if(touchpoint_id = 't1', 9999, handling_seconds) as handling_seconds) "
    f"from {TABLE}"
)
FEWER = row_hashes.check(["touchpoint_id", "customer_id"])
NIGHTS = {
    "nothing": ("select 1", {OLD, MIDDLE, NEW}),
    "a row changed in an old month": (
        restated("touchpoint_id = 't1'", "9999 as handling_seconds"),
        {MIDDLE, NEW},
    ),
    "a row deleted": (f"delete from {TABLE} where touchpoint_id = 't1'", {MIDDLE, NEW}),
    "another row in a row's place": (
        restated("touchpoint_id = 't1'", "'t1000' as touchpoint_id"),
        {MIDDLE, NEW},
    ),
    "a row that moved to another month": (
        restated("touchpoint_id = 't1'", "timestamp '2025-11-03' as occurred_at"),
        {NEW},
    ),
    "two rows that changed places": (
        restated(
            "touchpoint_id in ('t1', 't2')",
            "if(touchpoint_id = 't1', 't2', 't1') as touchpoint_id",
        ),
        {MIDDLE, NEW},
    ),
    "a month that is gone": (
        f"delete from {TABLE} where occurred_at < '2025-11-01'",
        {MIDDLE, NEW},
    ),
    "a customer restated to other values": (
        restated("customer_id = 'c3'", "'c4' as customer_id"),
        set(),
    ),
    "a customer restated to the same values": (
        restated("customer_id = 'c3'", "'c3' as customer_id"),
        {OLD, MIDDLE, NEW},
    ),
    "a full refresh": (
        made_anew(hashed(f"from {TABLE} order by hash(touchpoint_id || 'x')")),
        {OLD, MIDDLE, NEW},
    ),
    "a full refresh that changed an old month": (made_anew(hashed(STALE)), {MIDDLE, NEW}),
}
# The hash of the row that changed is still the one that it had.
STALE_NIGHTS = {
    "the check is lost": made_anew(STALE, check=""),
    "the check leaves columns out": made_anew(
        f"select * replace ({row_hashes.row_hash(['touchpoint_id', 'customer_id'])} as row_hash) "
        f"from ({STALE})",
        check=FEWER,
    ),
    "the check is another one": made_anew(STALE, check="check (row_hash >= 0)"),
    "a row lost its hash": (
        f"update {TABLE} set handling_seconds = 9999, row_hash = null where touchpoint_id = 't1'"
    ),
    "the column is lost": (
        f"create table anew as select * exclude (row_hash) from ({STALE}); drop table {TABLE}; "
        f"create table {TABLE} as from anew"
    ),
}


@pytest.mark.parametrize("night", NIGHTS)
def test_only_months_whose_rows_are_the_same_are_linked(settings: Settings, night: str) -> None:
    sql, linked = NIGHTS[night]
    publishing.change(settings, sql)
    candidate = staged_as_anew(settings, served_by(settings), "night")
    assert candidate.is_believed
    assert candidate.linked == linked


@pytest.mark.parametrize("night", STALE_NIGHTS)
def test_hashes_that_the_warehouse_does_not_enforce_are_not_believed(
    settings: Settings, night: str
) -> None:
    publishing.change(settings, STALE_NIGHTS[night])
    candidate = staged_as_anew(settings, served_by(settings), "night")
    assert candidate.is_believed == (night == "a row lost its hash")
    # Every row was read and every month written; equal bytes are linked all the same.
    assert candidate.linked == {MIDDLE, NEW}


@pytest.mark.parametrize(
    "sql",
    [
        f"update {TABLE} set handling_seconds = 9999 where touchpoint_id = 't1'",
        f"update {TABLE} set row_hash = 7 where touchpoint_id = 't1'",
        f"insert into {TABLE} select * replace ('t1000' as touchpoint_id) from {TABLE} limit 1",
        f"insert into {TABLE} select * replace (now()::timestamp as occurred_at) from {TABLE}",
    ],
)
def test_the_warehouse_refuses_a_row_whose_hash_is_not_its_own(
    settings: Settings, sql: str
) -> None:
    with pytest.raises(duckdb.ConstraintException, match="row_hash"):
        publishing.change(settings, sql)


def test_a_column_that_came_later_is_not_covered_by_the_check(settings: Settings) -> None:
    publishing.change(settings, f"alter table {TABLE} add column region varchar")
    assert not staged_as_anew(settings, served_by(settings), "night").is_believed


def test_a_warehouse_that_was_lost_and_built_again_links_what_is_the_same(
    settings: Settings, tmp_path: Path
) -> None:
    settings.warehouse.unlink()
    rebuilt = publishing.make_home(tmp_path / "rebuilt")
    publishing.change(rebuilt, made_anew(hashed(f"from {TABLE}")))
    rebuilt.warehouse.rename(settings.warehouse)
    candidate = staged_as_anew(settings, served_by(settings), "night")
    assert candidate.linked == {OLD, MIDDLE, NEW}


def test_a_warehouse_swapped_for_another_links_nothing_of_the_old_one(
    settings: Settings, tmp_path: Path
) -> None:
    other = publishing.make_home(tmp_path / "other", customers=19)
    publishing.change(other, made_anew(hashed(f"from {TABLE}")))
    other.warehouse.rename(settings.warehouse)
    assert staged_as_anew(settings, served_by(settings), "night").linked == set()


def test_a_month_is_told_by_the_sum_of_what_its_rows_carry(settings: Settings) -> None:
    candidate = staged_as_anew(settings, served_by(settings), "night")
    with duckdb.connect(str(settings.warehouse)) as connection:
        sums = connection.execute(
            f"select strftime(occurred_at, '%Y-%m'), count(*), sum(row_hash)::varchar "
            f"from {TABLE} group by 1"
        ).fetchall()
    for month, rows, total in sums:
        fingerprint = candidate.entries[f"parquet/fct_touchpoints/{month}.parquet"]["fingerprint"]
        assert str(fingerprint).endswith(f":{rows}:{total}")


ACTS = st.lists(
    st.one_of(
        st.integers(0, 299).map(
            lambda number: f"delete from {TABLE} where touchpoint_id = 't{number}'"
        ),
        st.integers(0, 19).map(
            lambda number: restated(f"customer_id = 'c{number}'", f"'c{number}' as customer_id")
        ),
        st.tuples(st.integers(0, 19), st.integers(0, 19)).map(
            lambda pair: restated(f"customer_id = 'c{pair[0]}'", f"'c{pair[1]}' as customer_id")
        ),
        st.tuples(st.integers(0, 299), st.integers(0, 91)).map(
            lambda pair: restated(
                f"touchpoint_id = 't{pair[0]}'",
                f"timestamp '2025-10-01' + to_days({pair[1]}) as occurred_at",
            )
        ),
        st.just(made_anew(hashed(f"from {TABLE} order by hash(touchpoint_id)"))),
    ),
    max_size=3,
)


@pytest.mark.slow
@examples(max_examples=8, deadline=None)
@given(nights=st.lists(ACTS, min_size=1, max_size=3))
def test_any_nights_give_the_bytes_of_writing_everything(
    tmp_path_factory: pytest.TempPathFactory, released: Settings, nights: list[list[str]]
) -> None:
    settings = publishing.copy_home(released, tmp_path_factory.mktemp("nights"))
    served = served_by(settings)
    for number, acts in enumerate(nights):
        for sql in acts:
            publishing.change(settings, sql)
        candidate = staged_as_anew(settings, served, f"night-{number}")
        served = parquet.Served(candidate.folder, candidate.entries)


@pytest.mark.parametrize("offset", [20, -20], ids=["in its rows", "in its footer"])
def test_a_linked_file_that_rotted_is_written_again_and_goes_no_further(
    settings: Settings, offset: int
) -> None:
    path = settings.current.resolve() / OLD
    before = path.read_bytes()
    rotten = bytearray(before)
    rotten[offset] ^= 1
    path.chmod(0o644)
    path.write_bytes(rotten)
    publishing.change(
        settings,
        restated("touchpoint_id = 't299'", "9999 as handling_seconds"),
    )
    steps: list[str] = []
    assert publish(settings, "run-2", on_step=steps.append).published
    assert steps.count("cleared") == 1
    assert verify_release(settings).files_count == 7
    assert (settings.current / OLD).read_bytes() == before


@pytest.mark.slow
def test_a_linked_file_that_is_edited_between_audit_and_flip_is_not_served(
    settings: Settings,
) -> None:
    before = (settings.current / OLD).read_bytes()
    publishing.change(settings, restated("touchpoint_id = 't299'", "9999 as handling_seconds"))
    steps: list[str] = []

    def edit(step: str) -> None:
        steps.append(step)
        if steps.count("proved") == 1 and step == "proved":
            path = settings.releases / ".staging" / "candidate" / OLD
            path.chmod(0o644)
            path.write_bytes(before[:-20] + b"?" + before[-19:])

    assert publish(settings, "run-2", on_step=edit).published
    assert steps.count("proved") == 2
    assert verify_release(settings).files_count == 7
    assert (settings.current / OLD).read_bytes() == before
