"""Components brought up to date are those of all pairs, whatever came, went and came back."""

from __future__ import annotations

import random

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.unify import components, touched_components
from orchestration.unify.clustering import cluster_changes

Pair = tuple[str, str]
NODES = [f"n{number:02d}" for number in range(16)]
# a pair of a node with itself is its record: it may come late, and it may go
PAIRS = st.tuples(st.sampled_from(NODES), st.sampled_from(NODES)).map(
    lambda pair: tuple(sorted(pair))
)
# what stands after a night is what stood, without and with some pairs
NIGHTS = st.lists(st.tuples(st.sets(PAIRS, max_size=4), st.sets(PAIRS, max_size=4)), max_size=8)


class Company:
    """Pairs as the strategy `kept_pairs` keeps them, in plain Python, and the table of clusters."""

    def __init__(self, generation: str = "first") -> None:
        self.connection = duckdb.connect(config={"threads": 1})
        self.connection.execute(
            "create table pairs (left_record_key text, right_record_key text, is_gone boolean, "
            "generation text, change_number integer)"
        )
        self.generation = generation
        self.kept: dict[Pair, tuple[bool, int]] = {}
        self.night = 0

    def stand(self, standing: set[Pair]) -> None:
        """One night's build of the pairs."""
        self.night += 1
        for pair in standing | self.kept.keys():
            is_gone = pair not in standing
            if self.kept.get(pair, (True, 0))[0] != is_gone:
                self.kept[pair] = (is_gone, self.night)
        self.connection.execute("delete from pairs")
        rows = [(*pair, is_gone, self.generation, at) for pair, (is_gone, at) in self.kept.items()]
        if rows:
            self.connection.executemany("insert into pairs values (?, ?, ?, ?, ?)", rows)

    def clusters(self, *, is_whole: bool = False) -> dict[str, str]:
        """The table after a build of the clusters."""
        whole = is_whole or self._has_no_clusters()
        self.connection.execute("begin")
        cluster_changes(self.connection, "clusters", "pairs", is_whole=whole)
        self.connection.execute("commit")
        rows = self.connection.execute("select record_key, cluster_key from clusters").fetchall()
        assert len(rows) == len(dict(rows))
        return dict(rows)

    def _has_no_clusters(self) -> bool:
        found = self.connection.execute(
            "select count(*) from duckdb_tables() where table_name = 'clusters'"
        ).fetchone()
        return found == (0,)


def expected(standing: set[Pair]) -> dict[str, str]:
    """Each node with the smallest one it is joined to, by joining whole sets."""
    together: dict[str, set[str]] = {}
    for left, right in standing:
        joined = together.get(left, {left}) | together.get(right, {right})
        together.update(dict.fromkeys(joined, joined))
    return {node: min(joined) for node, joined in together.items()}


@pytest.fixture
def _all_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """In graphs as small as these, every night would be found too large to look for."""
    monkeypatch.setattr(touched_components, "_SHARE_LOOKED_FOR", 0)


@pytest.mark.usefixtures("_all_looked_for")
def test_night_by_night_is_as_whole() -> None:
    @given(start=st.sets(PAIRS, max_size=20), nights=NIGHTS, skipped=st.sets(st.integers(0, 7)))
    @settings(deadline=None, max_examples=30, derandomize=True)
    def holds(
        start: set[Pair], nights: list[tuple[set[Pair], set[Pair]]], skipped: set[int]
    ) -> None:
        company, standing = Company(), set(start)
        company.stand(standing)
        assert company.clusters() == expected(standing)
        for number, (gone, come) in enumerate(nights):
            standing = (standing - gone) | come
            company.stand(standing)
            # a build of the clusters that did not take place, or that died
            if number not in skipped:
                assert company.clusters() == expected(standing)
        assert company.clusters() == expected(standing)
        assert company.clusters(is_whole=True) == expected(standing)

    holds()


@pytest.mark.usefixtures("_all_looked_for")
def test_order_of_arrival_does_not_matter() -> None:
    chance = random.Random(5)
    pairs = [tuple(sorted(chance.sample(NODES, 2))) for _ in range(12)]
    found = []
    for _ in range(5):
        chance.shuffle(pairs)
        company = Company()
        for count in range(0, 13, 3):
            company.stand(set(pairs[:count]))
            found_tonight = company.clusters()
        found.append(found_tonight)
    assert found == [expected(set(pairs))] * 5


def test_untouched_rows_stay_where_they_are() -> None:
    company = Company()
    standing = {(node, node) for node in NODES} | {("n00", "n01"), ("n02", "n03"), ("n02", "n04")}
    company.stand(standing)
    company.clusters()
    where = "select record_key, rowid from clusters"
    before = dict(company.connection.execute(where).fetchall())
    # one cluster breaks, one record joins another cluster
    standing = standing - {("n02", "n04")} | {("n05", "n06")}
    company.stand(standing)
    assert company.clusters() == expected(standing)
    after = dict(company.connection.execute(where).fetchall())
    touched = {"n02", "n03", "n04", "n06"}
    assert {node for node in NODES if before[node] == after[node]} >= set(NODES) - touched
    assert {node for node in touched if before[node] != after[node]} == touched


def test_a_large_change_and_pairs_built_anew_take_everything() -> None:
    company = Company()
    company.stand({("n00", "n01")})
    company.clusters()
    company.stand({("n01", "n02"), ("n03", "n04")})
    assert company.clusters() == {"n01": "n01", "n02": "n01", "n03": "n03", "n04": "n03"}
    company.generation, company.kept, company.night = "second", {}, 0
    company.stand({("n04", "n05")})
    assert company.clusters() == {"n04": "n04", "n05": "n04"}


def test_a_build_that_dies_leaves_clusters_and_mark_as_they_were() -> None:
    company = Company()
    standing = {(node, node) for node in NODES}
    company.stand(standing)
    before = company.clusters()
    company.stand(standing | {("n00", "n01")})
    company.connection.execute("begin")
    cluster_changes(company.connection, "clusters", "pairs", is_whole=False)
    company.connection.execute("rollback")
    found = company.connection.execute("select record_key, cluster_key from clusters").fetchall()
    assert dict(found) == before
    assert company.clusters() == expected(standing | {("n00", "n01")})


def test_the_same_pair_many_times_is_one_pair() -> None:
    connection = duckdb.connect()
    components.write_labels(
        connection,
        "labels",
        "(select 'a' as left_node, 'b' as right_node from range(256))",
    )
    found = connection.execute("select record_key, cluster_key from labels order by all")
    assert found.fetchall() == [("a", "a"), ("b", "a")]


@pytest.mark.usefixtures("_all_looked_for")
def test_records_of_one_hash_are_told_apart() -> None:
    company = Company()
    found = company.connection.execute(
        "select min(node), max(node) from (select 'r' || i as node from range(300000) as t(i)) "
        f"group by {components.record_hash('node')} having count(*) > 1 limit 1"
    ).fetchone()
    assert found is not None
    known, late = found
    standing = {(known, known), ("a", "a")}
    company.stand(standing)
    company.clusters()
    standing |= {(late, late), ("a", late)}
    company.stand(standing)
    assert company.clusters() == {"a": "a", late: "a", known: known}


def test_another_engine_takes_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    company = Company()
    company.stand({("n00", "n01"), ("n02", "n03"), ("n04", "n05"), ("n06", "n07"), ("n08", "n09")})
    company.clusters()
    # hashes that this engine would not give
    company.connection.execute("update clusters set record_hash = record_hash + 1")
    monkeypatch.setattr(duckdb, "__version__", "another")
    standing = company.kept.keys() | {("n01", "n02")}
    company.stand(standing)
    assert company.clusters() == expected(standing)
