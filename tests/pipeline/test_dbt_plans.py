"""No model compares every row of one table with every row of another."""

from __future__ import annotations

import json

import duckdb
import pytest
from built_company import Built

from orchestration import warehouse
from orchestration.unify.dbt_plugin import register_normal_form

# DuckDB's joins without an equality. One with a table of one row (a clock, settings) is harmless.
QUADRATIC = ("BLOCKWISE_NL_JOIN", "IE_JOIN", "PIECEWISE_MERGE_JOIN")


def _quadratic_joins(connection: duckdb.DuckDBPyConnection, sql: str) -> list[str]:
    ((_, plan),) = connection.execute(f"explain (format json) {sql}").fetchall()
    waiting, joins = json.loads(plan), []
    while waiting:
        step = waiting.pop()
        sides = step.get("children", [])
        rows = [side.get("extra_info", {}).get("Estimated Cardinality") for side in sides]
        if step["name"] in QUADRATIC and "1" not in rows:
            joins.append(step["name"])
        waiting.extend(sides)
    return joins


def test_no_plan_compares_all_pairs(built: Built) -> None:
    compiled = sorted((built.settings.home / "dbt").rglob("compiled/*/models/**/*.sql"))
    models = [path for path in compiled if path.parent.suffix != ".yml"]
    connection = warehouse.connect(built.settings.warehouse, read_only=True)
    register_normal_form(connection)
    try:
        found = {
            path.stem: joins
            for path in models
            if (joins := _quadratic_joins(connection, path.read_text(encoding="utf-8")))
        }
    finally:
        connection.close()
    assert len(models) > 80
    assert found == {}


@pytest.mark.parametrize(
    ("condition", "joins"),
    [
        ("a.kind = 'x' and a.i = b.i", ["BLOCKWISE_NL_JOIN"]),
        ("case when a.kind = 'x' then a.i end = b.i", []),
    ],
)
def test_the_rule_sees_a_condition_on_one_side_alone(condition: str, joins: list[str]) -> None:
    connection = duckdb.connect()
    connection.execute("create table a as select i, 'x' as kind from range(9000) as r (i)")
    connection.execute("create table b as select i from range(9000) as r (i)")
    sql = f"select count(b.i) from a left join b on {condition}"
    assert _quadratic_joins(connection, sql) == joins
