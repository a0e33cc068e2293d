"""Where linking everything would break a limit, the weakest link gives way, and no other."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from orchestration.pipeline.dbt_runner import _close_connections
from orchestration.settings import REPO_ROOT

PROJECT = """\
name: guarded
version: "1.0"
profile: guarded
model-paths: [models]
macro-paths: [macros]
flags: {send_anonymous_usage_stats: false}
"""
PROFILE = """\
guarded:
  target: test
  outputs: {{test: {{type: duckdb, path: "{path}", schema: main, threads: 1}}}}
"""
MODEL = """\
{{ config(materialized='guarded_links', limited_values='world_values') }}
select * from world_links
"""


@dataclass(frozen=True)
class Limit:
    """A limit: which values its records bear, how many a cluster may hold, and what gives way."""

    values: dict[str, str]
    at_most: int = 1
    refuses: str = "all"


@dataclass(frozen=True)
class World:
    """Links from the strongest to the weakest, (left, right, kind), and limits."""

    links: list[tuple[str, str, str]]
    limits: dict[str, Limit]


GIVING_WAY = {
    "everything": {"decided", "exact", "probabilistic"},
    "all": {"exact", "probabilistic"},
    "probabilistic": {"probabilistic"},
}
SMALLEST = {
    # one rule wants the link, two verified ids forbid it
    "forbidden": World([("a", "b", "exact")], {"one_user": Limit({"a": "u1", "b": "u2"})}),
    # two families and one bridge between them: the bridge goes, the families stay
    "bridge": World(
        [("a1", "a2", "exact"), ("b1", "b2", "exact"), ("a2", "b1", "exact")],
        {"one_user": Limit({"a1": "u1", "b2": "u2"})},
    ),
    # the weakest of a chain goes, wherever it stands
    "weakest": World(
        [("m", "z", "exact"), ("a", "b", "exact"), ("b", "m", "exact")],
        {"cannot_link": Limit({"a": "one", "z": "other"})},
    ),
    # a decision of a person comes first, and what it joined is no reason to refuse the rest
    "decided": World(
        [("a", "b", "decided"), ("b", "c", "exact"), ("c", "d", "exact")],
        {"one_user": Limit({"a": "u1", "b": "u2", "c": "u1", "d": "u3"})},
    ),
    # but no decision joins what another keeps apart
    "vetoed": World(
        [("a", "b", "decided"), ("b", "c", "decided")],
        {"cannot_link": Limit({"a": "one", "c": "other"}, refuses="everything")},
    ),
    # the cap on the size of a cluster
    "size": World(
        [("a", "b", "exact"), ("c", "d", "exact"), ("b", "c", "exact")],
        {"cluster_size": Limit({"a": "a", "b": "b", "c": "c", "d": "d"}, at_most=3)},
    ),
    # what contradicts a guess does not contradict a rule
    "guess": World(
        [("a", "b", "exact"), ("c", "d", "probabilistic")],
        {
            "one_country": Limit(
                {"a": "DE", "b": "FR", "c": "DE", "d": "FR"}, refuses="probabilistic"
            )
        },
    ),
}
REFUSED = {
    "forbidden": {0: "one_user"},
    "bridge": {2: "one_user"},
    "weakest": {2: "cannot_link"},
    "decided": {2: "one_user"},
    "vetoed": {1: "cannot_link"},
    "size": {2: "cluster_size"},
    "guess": {1: "one_country"},
}


def random_world(seed: int) -> World:
    """A tangle of twenty records with exact links first, then guesses."""
    chance = random.Random(seed)
    records = [f"r{number:02d}" for number in range(20)]
    pairs = [tuple(sorted(chance.sample(records, 2))) for _ in range(40)]
    kinds = ["decided"] * 3 + ["exact"] * 17 + ["probabilistic"] * 20
    links = [(left, right, kind) for (left, right), kind in zip(pairs, kinds, strict=True)]

    def values(count: int, share: float) -> dict[str, str]:
        return {r: str(chance.randrange(count)) for r in records if chance.random() < share}

    return World(
        links,
        {
            "one_user": Limit(values(4, 0.4)),
            "two_phones": Limit(values(5, 0.5), at_most=2),
            "one_country": Limit(values(3, 0.5), refuses="probabilistic"),
            "cluster_size": Limit({record: record for record in records}, at_most=8),
        },
    )


def breaks(limit: Limit, sides: list[set[str]]) -> bool:
    """Whether joining the two sides puts more values into one cluster than it may hold."""
    held = [{limit.values[r] for r in side if r in limit.values} for side in sides]
    together = len(held[0] | held[1])
    return together > limit.at_most and together > max(map(len, held))


def refused_one_by_one(world: World) -> set[int]:
    """The promise, read plainly: take links from the strongest on; refuse what breaks a limit."""
    label: dict[str, str] = {}
    refused: set[int] = set()
    for left, right, _ in world.links:
        label.update({left: left, right: right})
    for place, (left, right, kind) in enumerate(world.links):
        sides = [{r for r in label if label[r] == label[end]} for end in (left, right)]
        if label[left] == label[right]:
            continue
        if any(
            breaks(limit, sides)
            for limit in world.limits.values()
            if kind in GIVING_WAY[limit.refuses]
        ):
            refused.add(place)
        else:
            for record in sides[1]:
                label[record] = label[left]
    return refused


@pytest.fixture(scope="module")
def worlds() -> dict[str, World]:
    """The smallest examples and random tangles."""
    return {**SMALLEST, **{f"random {seed}": random_world(seed) for seed in range(25)}}


@pytest.fixture(scope="module")
def verdicts(
    tmp_path_factory: pytest.TempPathFactory, worlds: dict[str, World]
) -> dict[str, dict[int, str]]:
    """What the materialization refuses, by world and place of the link."""
    runner_module = pytest.importorskip("dbt.cli.main")
    folder = tmp_path_factory.mktemp("guarded")
    warehouse = folder / "guarded.duckdb"
    for name in ("models", "macros"):
        (folder / name).mkdir()
    source = REPO_ROOT / "dbt_project" / "macros" / "materializations"
    for macro in source.glob("*.sql"):
        (folder / "macros" / macro.name).write_text(macro.read_text("utf-8"), "utf-8")
    (folder / "dbt_project.yml").write_text(PROJECT, "utf-8")
    (folder / "profiles.yml").write_text(PROFILE.format(path=warehouse), "utf-8")
    (folder / "models" / "verdicts.sql").write_text(MODEL, "utf-8")
    _write_worlds(warehouse, worlds)
    outcome = runner_module.dbtRunner().invoke(
        ["run", "--project-dir", str(folder), "--profiles-dir", str(folder), "--quiet",
         "--log-path", str(folder / "logs"), "--target-path", str(folder / "target")]
    )  # fmt: skip
    _close_connections()
    assert outcome.success, outcome.exception
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        rows = connection.execute("select world_id, link_id, refused_by from verdicts").fetchall()
    assert len(rows) == sum(len(world.links) for world in worlds.values())
    found: dict[str, dict[int, str]] = {name: {} for name in worlds}
    for world, link, refused_by in rows:
        if refused_by is not None:
            found[world][int(link)] = refused_by
    return found


def _write_worlds(warehouse: Path, worlds: dict[str, World]) -> None:
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute(
            "create table world_links (world_id text, link_id text, left_record_key text, "
            "right_record_key text, strength_rank integer, link_kind text)"
        )
        connection.execute(
            "create table world_values (world_id text, record_key text, cluster_limit text, "
            "limited_value text, at_most integer, refuses text)"
        )
        for name, world in worlds.items():
            connection.executemany(
                "insert into world_links values (?, ?, ?, ?, ?, ?)",
                [
                    (name, str(place), left, right, place + 1, kind)
                    for place, (left, right, kind) in enumerate(world.links)
                ],
            )
            connection.executemany(
                "insert into world_values values (?, ?, ?, ?, ?, ?)",
                [
                    (name, record, limit_name, value, limit.at_most, limit.refuses)
                    for limit_name, limit in world.limits.items()
                    for record, value in limit.values.items()
                ],
            )


@pytest.mark.parametrize("name", REFUSED)
def test_the_smallest_examples(name: str, verdicts: dict[str, dict[int, str]]) -> None:
    assert verdicts[name] == REFUSED[name]


def test_the_rounds_refuse_what_taking_links_one_by_one_does(
    worlds: dict[str, World], verdicts: dict[str, dict[int, str]]
) -> None:
    assert sum(len(refused) for refused in verdicts.values()) > 100
    # a link may break several limits; which one is named depends on how much was joined by then
    assert {name: set(refused) for name, refused in verdicts.items()} == {
        name: refused_one_by_one(world) for name, world in worlds.items()
    }
