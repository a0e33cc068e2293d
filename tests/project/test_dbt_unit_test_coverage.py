"""Every model that decides something (a `case`, a window) has a dbt unit test that is worth it."""

from __future__ import annotations

from typing import Any

import sqlglot
from sqlglot import exp

# Models that may go without, and why. Reviewed: an entry that is no longer needed fails below.
EXEMPT: dict[str, str] = {}


def deciding_models(sql_by_model: dict[str, str]) -> set[str]:
    """Models whose compiled SQL, macros included, holds a `case` or a window function."""
    return {
        name
        for name, sql in sql_by_model.items()
        if sqlglot.parse_one(sql, dialect="duckdb").find(exp.Case, exp.Window)
    }


def _tested(manifest: Any) -> set[str]:
    return {test.model for test in manifest.unit_tests.values()}


def test_every_model_with_a_case_or_a_window_has_a_unit_test(
    manifest: Any, compiled: dict[str, dict[str, str]]
) -> None:
    deciding = deciding_models(compiled["first night"])
    assert {"int_email_events", "fct_sessions", "int_match_pairs"} <= deciding
    assert "bridge_customer_records" not in deciding
    assert sorted(deciding - _tested(manifest) - set(EXEMPT)) == []


def test_no_exemption_outlives_its_need(manifest: Any, compiled: dict[str, dict[str, str]]) -> None:
    needed = deciding_models(compiled["first night"]) - _tested(manifest)
    assert set(EXEMPT) - needed == set()
