"""What a run's summary says: each KPI against its target, each journey by stage."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from orchestration.cli import summary
from orchestration.cli.summary_view import format_value, show_summary
from orchestration.measure.definitions import load_kpis
from orchestration.settings import Settings

VALUES = {"nps": 30.0, "churn_share": 0.05, "email_open_share": 0.29}


def kpis_of(values: dict[str, float]) -> dict[str, dict[str, Any]]:
    connection = duckdb.connect()
    connection.execute(
        "create table fct_kpi_values (kpi text, period_start date, grain text, slice_type text, "
        "slice_value text, value double)"
    )
    for kpi, value in values.items():
        # neither an older month nor the one that is going on is told
        for month, monthly in (("05", -1.0), ("06", value), ("07", -2.0)):
            connection.execute(
                "insert into fct_kpi_values values (?, ?, 'month', 'all', 'all', ?)",
                [kpi, f"2025-{month}-01", monthly],
            )
    as_of = connection.execute("select timestamp '2025-07-15'").fetchone()
    assert as_of is not None
    told = summary._kpis(connection, Settings.from_environment(), as_of[0])
    return {kpi["kpi"]: kpi for kpi in told}


def test_each_kpi_stands_against_its_target_in_its_direction() -> None:
    told = kpis_of(VALUES)
    reached = {name: kpi["is_reached"] for name, kpi in told.items() if kpi["value"] is not None}
    assert reached == {"nps": True, "churn_share": False, "email_open_share": False}
    assert {f"{told[name]['period_start']:%Y-%m}" for name in VALUES} == {"2025-06"}


def test_a_kpi_without_a_value_is_told_all_the_same() -> None:
    told = kpis_of({})
    assert set(told) == {kpi.kpi for kpi in load_kpis(Settings.from_environment())}
    assert all(kpi["value"] is None and kpi["is_reached"] is None for kpi in told.values())


def test_values_are_told_in_their_unit() -> None:
    assert format_value("share", 0.123) == "12.3%"
    assert format_value("days", 1234.56) == "1,234.6 d"
    assert format_value("points", None) == "–"


def test_the_summary_names_stages_troubles_and_what_to_do_next(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_summary(
        {
            "nothing_new": False,
            "published": True,
            "release_id": "2025-07-01T000000Z-abc",
            "release_path": "/home/releases/2025-07-01T000000Z-abc",
            "nights": ["2025-06-29", "2025-06-30"],
            "customers": 1200,
            "records": 3400,
            "journeys": {
                "trial_to_paid": {"open": {"trial": 9, "checkout": 4}, "ended": {"converted": 7}}
            },
            "kpis": list(kpis_of(VALUES).values()),
            "accepted_rows": 10,
            "quarantined_rows": 2,
            "duplicate_rows": 1,
            "refused": ["crm/contacts 2025-06-30: cut off"],
            "held": [],
            "checks": {"passed": 150, "warned": 0, "failed": 0},
            "seconds": 12.3,
        }
    )
    printed = capsys.readouterr().out
    for told in (
        "published 2025-07-01T000000Z-abc",
        "1,200 unified from 3,400",
        "trial 9 → checkout 4",
        "7 converted",
        "cut off",
        "150 passed",
        "✗ off target",
        "quarantine list",
    ):
        assert told in printed
