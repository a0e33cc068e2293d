# ruff: noqa: E501
"""Both ways to label components, rounds in SQL and SciPy, find exactly them, however long a chain."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import duckdb
import pytest

from orchestration.pipeline.dbt_runner import _close_connections
from orchestration.settings import REPO_ROOT

PROJECT = """\
name: components
version: "1.0"
profile: components
model-paths: [models]
macro-paths: [macros]
flags: {send_anonymous_usage_stats: false}
"""
# the rounds under a name of their own: on DuckDB the materialization's name means SciPy
DEFAULT = "{% materialization connected_components, default %}"
ROUNDS = "{% materialization component_rounds, default %}"
WAYS = ("component_rounds", "connected_components")
PROFILE = """\
components:
  target: test
  outputs: {{test: {{type: duckdb, path: "{path}", schema: main, threads: 1}}}}
"""
MODEL = """\
{{ config(materialized='MATERIALIZATION') }}
select left_record_key, right_record_key from edges
"""


def expected_labels(edges: list[tuple[str, str]]) -> dict[str, str]:
    """Each node with the smallest node of its component, by plain search."""
    neighbours: dict[str, set[str]] = {}
    for left, right in edges:
        neighbours.setdefault(left, set()).add(right)
        neighbours.setdefault(right, set()).add(left)
    labels: dict[str, str] = {}
    for start in sorted(neighbours):
        waiting = [] if start in labels else [start]
        while waiting:
            node = waiting.pop()
            if node not in labels:
                labels[node] = start
                waiting.extend(neighbours[node])
    return labels


def edge_sets() -> dict[str, list[tuple[str, str]]]:
    """Graphs by what they are hard for."""
    generator = random.Random(3)
    shuffled = [f"c{number:04d}" for number in range(300)]
    generator.shuffle(shuffled)
    return {
        "nothing": [],
        "single nodes": [("a", "a"), ("b", "b")],
        "a chain in random order": list(itertools.pairwise(shuffled)),
        "a star, a ring and a single": [
            *[("hub", f"s{number}") for number in range(50)],
            *[(f"r{number}", f"r{(number + 1) % 40}") for number in range(40)],
            ("alone", "alone"),
        ],
        "a random forest": [
            (f"n{generator.randrange(400)}", f"n{generator.randrange(400)}") for _ in range(330)
        ],
    }


def test_labels_are_the_smallest_node_of_each_component(tmp_path: Path) -> None:
    runner_module = pytest.importorskip("dbt.cli.main")
    (tmp_path / "models").mkdir()
    warehouse = tmp_path / "components.duckdb"
    (tmp_path / "macros").mkdir()
    macros = REPO_ROOT / "dbt_project" / "macros"
    rounds = (macros / "materializations" / "connected_components.sql").read_text("utf-8")
    assert rounds.count(DEFAULT) == 1
    for name, text in {
        "component_rounds.sql": rounds.replace(DEFAULT, ROUNDS),
        "rounds.sql": (macros / "materializations" / "rounds.sql").read_text("utf-8"),
        "components.sql": (macros / "engine" / "connected_components.sql").read_text("utf-8"),
    }.items():
        (tmp_path / "macros" / name).write_text(text, "utf-8")
    (tmp_path / "dbt_project.yml").write_text(PROJECT, "utf-8")
    (tmp_path / "profiles.yml").write_text(PROFILE.format(path=warehouse), "utf-8")
    graphs = edge_sets()
    with duckdb.connect(str(warehouse)) as connection:
        for number, edges in enumerate(graphs.values()):
            connection.execute(
                f"create table edges_{number} (left_record_key text, right_record_key text)"
            )
            if edges:
                connection.executemany(f"insert into edges_{number} values (?, ?)", edges)
            model = MODEL.replace("from edges", f"from main.edges_{number}")
            for name in WAYS:
                (tmp_path / "models" / f"{name}_{number}.sql").write_text(
                    model.replace("MATERIALIZATION", name), "utf-8"
                )
    # twice: the second run replaces what the first one left
    for _ in range(2):
        arguments = ["run", "--project-dir", str(tmp_path), "--profiles-dir", str(tmp_path)]
        arguments += ["--target-path", str(tmp_path / "t"), "--log-path", str(tmp_path / "l")]
        try:
            outcome = runner_module.dbtRunner().invoke(["--log-level", "none", *arguments])
        finally:
            _close_connections()
        assert outcome.success
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        for number, (name, edges) in enumerate(graphs.items()):
            for way in WAYS:
                found = connection.execute(
                    f"select record_key, cluster_key from {way}_{number}"
                ).fetchall()
                assert len(found) == len(dict(found)), (name, way)
                assert dict(found) == expected_labels(edges), (name, way)
        left_over = connection.execute(
            "select table_name from information_schema.tables where table_name like '%\\_\\_%' escape '\\'"
        ).fetchall()
    assert left_over == []
