"""The id ledger against a plain reading of its promise, over random streams of evidence."""

from __future__ import annotations

import hashlib
import random
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from orchestration import warehouse
from orchestration.settings import Settings
from orchestration.unify.ledger import update_ledger

START = datetime(2025, 1, 1, 2)
Record = tuple[str, datetime]
Edge = tuple[str, str, datetime, datetime | None]


def _settings(home: Path) -> Settings:
    return Settings(home=home, ledger_key="l" * 40, pseudonym_key="p" * 40)


def _components(nodes: set[str], edges: list[tuple[str, str]]) -> dict[str, str]:
    parent = {node: node for node in nodes}

    def find(node: str) -> str:
        while parent[node] != node:
            node = parent[node]
        return node

    for left, right in edges:
        roots = sorted((find(left), find(right)))
        parent[roots[1]] = roots[0]
    return {node: find(node) for node in nodes}


def _alive(edges: list[Edge], instant: datetime) -> list[tuple[str, str]]:
    return [
        (left, right)
        for left, right, known_at, dead_at in edges
        if known_at <= instant and (dead_at is None or dead_at > instant)
    ]


def _load(
    settings: Settings,
    records: list[Record],
    edges: list[Edge],
    until: datetime,
    staff: dict[str, datetime] | None = None,
) -> None:
    """Write what dbt would have written after the night that ends at `until`."""
    known = [record for record in records if record[1] <= until]
    left = {key: at for key, at in (staff or {}).items() if at <= until}
    edges = _edges_until_staff(edges, staff or {})
    seen = [
        (left, right, known_at, dead_at if dead_at is not None and dead_at <= until else None)
        for left, right, known_at, dead_at in edges
        if known_at <= until
    ]
    clusters = _components({key for key, _ in known} - left.keys(), _alive(seen, until))
    settings.home.mkdir(parents=True, exist_ok=True)
    connection = warehouse.connect(settings.warehouse)
    for schema in ("unify", "ingest", "pipeline"):
        connection.execute(f"create schema if not exists {schema}")
    connection.execute(
        "create or replace table unify.int_records_delivered "
        "(record_key text, first_received_at timestamp, staff_known_at timestamp)"
    )
    connection.executemany(
        "insert into unify.int_records_delivered values (?, ?, ?)",
        [(key, at, left.get(key)) for key, at in known],
    )
    connection.execute(
        "create or replace table unify.int_match_edges (left_record_key text, "
        "right_record_key text, rule text, evidence text, ended_by text, known_at timestamp, "
        "dead_at timestamp)"
    )
    connection.execute(
        "create or replace table unify.int_identity_decisions (decision_id text, author text)"
    )
    connection.execute("insert into unify.int_identity_decisions values ('d1', 'jane')")
    if seen:
        connection.executemany(
            "insert into unify.int_match_edges values "
            "(?, ?, 'email_exact', 'e', 'cannot_link d1', ?, ?)",
            seen,
        )
    connection.execute(
        "create or replace table unify.int_clusters (record_key text, cluster_key text)"
    )
    connection.executemany("insert into unify.int_clusters values (?, ?)", list(clusters.items()))
    connection.execute("create table if not exists ingest.loads (load_number integer)")
    connection.execute("insert into ingest.loads select count(*) + 1 from ingest.loads")
    connection.execute("create or replace table pipeline.clock (as_of timestamp)")
    connection.execute("insert into pipeline.clock values (?)", [until + timedelta(hours=22)])
    connection.close()


def _edges_until_staff(edges: list[Edge], staff: dict[str, datetime]) -> list[Edge]:
    """Links to somebody who is staff end when it is known; later ones are never made."""
    dated = []
    for left, right, known_at, dead_at in edges:
        ends = [at for at in (dead_at, staff.get(left), staff.get(right)) if at is not None]
        dated.append((left, right, known_at, min(ends, default=None)))
    return [edge for edge in dated if edge[3] is None or edge[2] < edge[3]]


def _ids(settings: Settings) -> dict[str, str]:
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        return dict(
            connection.execute(
                "select record_key, customer_id from identity.customer_records"
            ).fetchall()
        )


def _rows(settings: Settings, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        return connection.execute(query).fetchall()


def _ledger_bytes(settings: Settings) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((settings.identity / "ledger").glob("*"))
    }


def _random_stream(seed: int) -> tuple[list[Record], list[Edge]]:
    chance = random.Random(seed)
    nights = [START + timedelta(days=day) for day in range(5)]
    records = [(f"s/e/{number:03d}", chance.choice(nights)) for number in range(40)]
    arrived = dict(records)
    edges: list[Edge] = []
    for _ in range(30):
        left, right = sorted(chance.sample(sorted(arrived), 2))
        known_at = max(arrived[left], arrived[right], chance.choice(nights))
        later = [night for night in nights if night > known_at]
        dead_at = chance.choice(later) if later and chance.random() < 0.3 else None
        edges.append((left, right, known_at, dead_at))
    return records, edges


@pytest.mark.parametrize("seed", range(6))
def test_ids_group_records_as_the_clusters_do_and_runs_do_not_matter(
    tmp_path: Path, seed: int
) -> None:
    records, edges = _random_stream(seed)
    nightly, at_once = _settings(tmp_path / "nightly"), _settings(tmp_path / "once")
    last = START + timedelta(days=4)
    for day in range(5):
        night = START + timedelta(days=day)
        _load(nightly, records, edges, night)
        update_ledger(nightly)
        clusters = _components(
            {key for key, at in records if at <= night},
            _alive([edge for edge in edges if edge[2] <= night], night),
        )
        ids = _ids(nightly)
        assert ids.keys() == clusters.keys()
        pairs = {(clusters[key], ids[key]) for key in clusters}
        assert len(pairs) == len({c for c, _ in pairs}) == len({i for _, i in pairs})
    _load(at_once, records, edges, last)
    update_ledger(at_once)
    assert _ids(at_once) == _ids(nightly)
    assert _ledger_bytes(at_once) == _ledger_bytes(nightly)


def test_a_deleted_warehouse_gets_the_same_ids_back_from_the_ledger(tmp_path: Path) -> None:
    records, edges = _random_stream(11)
    settings = _settings(tmp_path)
    last = START + timedelta(days=4)
    _load(settings, records, edges, last)
    update_ledger(settings)
    ids, ledger = _ids(settings), _ledger_bytes(settings)
    settings.warehouse.unlink()
    _load(settings, records, edges, last)
    report = update_ledger(settings)
    assert _ids(settings) == ids
    assert _ledger_bytes(settings) == ledger
    assert (report.created, report.merged, report.split) == (0, 0, 0)


def test_a_merge_keeps_the_id_whose_first_record_arrived_first_and_the_old_id_resolves(
    tmp_path: Path,
) -> None:
    settings = _settings(tmp_path)
    later = START + timedelta(days=1)
    records = [("s/e/z", START), ("s/e/a", later)]
    joined = START + timedelta(days=2)
    edges: list[Edge] = [("s/e/a", "s/e/z", joined, None)]
    _load(settings, records, edges, later)
    update_ledger(settings)
    before = _ids(settings)
    _load(settings, records, edges, joined)
    update_ledger(settings)
    assert set(_ids(settings).values()) == {before["s/e/z"]}
    assert _rows(
        settings, "select old_customer_id, customer_id, known_at from identity.aliases"
    ) == [(before["s/e/a"], before["s/e/z"], joined)]
    assert _rows(settings, "select change, rule from identity.history where change = 'merged'") == [
        ("merged", "email_exact")
    ]


def test_a_split_gives_both_their_ids_back(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    joined, parted = START + timedelta(days=1), START + timedelta(days=2)
    records = [("s/e/a", START), ("s/e/b", START)]
    edges: list[Edge] = [("s/e/a", "s/e/b", joined, parted)]
    _load(settings, records, edges, START)
    update_ledger(settings)
    before = _ids(settings)
    _load(settings, records, edges, joined)
    update_ledger(settings)
    _load(settings, records, edges, parted)
    update_ledger(settings)
    assert _ids(settings) == before
    assert _rows(settings, "select count(*) from identity.aliases") == [(0,)]
    split = "select change, rule, evidence from identity.history where known_at = ?"
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        acts = connection.execute(split, [parted]).fetchall()
    assert acts == [("split", "cannot_link", "d1 jane")]


def test_a_change_of_rules_enters_the_ledger_at_an_instant_of_its_own(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    records = [("s/e/a", START), ("s/e/b", START)]
    _load(settings, records, [], START)
    update_ledger(settings)
    _load(settings, records, [("s/e/a", "s/e/b", START, None)], START)
    update_ledger(settings)
    assert len(set(_ids(settings).values())) == 1
    assert _rows(settings, "select known_at from identity.history where change = 'merged'") == [
        (START + timedelta(hours=22),)
    ]


@pytest.mark.parametrize("seed", range(6))
def test_records_that_turn_out_to_be_staff_leave_the_same_ids_however_many_runs_it_took(
    tmp_path: Path, seed: int
) -> None:
    """Night by night an id had been given that all nights at once never gave."""
    records, edges = _random_stream(seed)
    chance = random.Random(100 + seed)
    nights = [START + timedelta(days=day) for day in range(5)]
    staff = {
        key: chance.choice([night for night in nights if night >= arrived_at])
        for key, arrived_at in chance.sample(records, 12)
    }
    nightly, at_once = _settings(tmp_path / "nightly"), _settings(tmp_path / "once")
    for night in nights:
        before = _ids(nightly) if night > START else {}
        _load(nightly, records, edges, night, staff)
        update_ledger(nightly)
        after = _ids(nightly)
        left = {key for key, known_at in staff.items() if known_at <= night}
        assert after.keys() == {key for key, at in records if at <= night} - left
        heirs = {before[key] for key in before.keys() - left}
        aliases = dict(_rows(nightly, "select old_customer_id, customer_id from identity.aliases"))
        assert all(given in after.values() or given in aliases for given in heirs)
    _load(at_once, records, edges, nights[-1], staff)
    update_ledger(at_once)
    assert _ids(at_once) == _ids(nightly)
    assert _ledger_bytes(at_once) == _ledger_bytes(nightly)


def test_the_id_of_a_first_record_that_is_staff_stays_with_the_records_it_leaves(
    tmp_path: Path,
) -> None:
    settings = _settings(tmp_path)
    later = START + timedelta(days=1)
    records = [("s/e/a", START), ("s/e/b", START), ("s/e/z", START)]
    edges: list[Edge] = [("s/e/a", "s/e/b", START, None)]
    _load(settings, records, edges, START)
    update_ledger(settings)
    before = _ids(settings)
    _load(settings, records, edges, later, {"s/e/a": later, "s/e/z": later})
    update_ledger(settings)
    assert _ids(settings) == {"s/e/b": before["s/e/a"]}
    history = _rows(
        settings, "select customer_id, rule from identity.history where change = 'corrected'"
    )
    assert set(history) == {(before["s/e/a"], "staff"), (before["s/e/z"], "staff")}
    changes = "select customer_id from identity.customer_changes where load_number = 2"
    assert set(_rows(settings, changes)) == {(before["s/e/a"],), (before["s/e/z"],)}


def test_records_that_only_a_member_of_staff_held_together_are_split_and_the_first_keeps_the_id(
    tmp_path: Path,
) -> None:
    settings = _settings(tmp_path)
    later = START + timedelta(days=1)
    records = [("s/e/a", START), ("s/e/b", START), ("s/e/c", START)]
    edges: list[Edge] = [("s/e/a", "s/e/b", START, None), ("s/e/a", "s/e/c", START, None)]
    _load(settings, records, edges, START)
    update_ledger(settings)
    before = _ids(settings)["s/e/a"]
    _load(settings, records, edges, later, {"s/e/a": later})
    update_ledger(settings)
    after = _ids(settings)
    assert after["s/e/b"] == before
    assert _rows(
        settings,
        "select customer_id, other_customer_id, rule from identity.history where change = 'split'",
    ) == [(after["s/e/c"], before, "staff")]


def test_staff_among_the_records_of_an_older_ledger_leave_at_an_instant_of_their_own(
    tmp_path: Path,
) -> None:
    settings = _settings(tmp_path)
    _load(settings, [("s/e/a", START), ("s/e/b", START)], [], START)
    update_ledger(settings)
    kept = _ids(settings)["s/e/b"]
    _load(settings, [("s/e/a", START), ("s/e/b", START)], [], START, {"s/e/a": START})
    update_ledger(settings)
    assert _ids(settings) == {"s/e/b": kept}
    assert _rows(settings, "select known_at from identity.history where change = 'corrected'") == [
        (START + timedelta(hours=22),)
    ]
