"""Arrival hardly matters: the same rows in other deliveries, order and nights."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time
from pathlib import Path

import pytest
from built_company import Built, copy_home
from rearranged import differences, redeliver

from orchestration.pipeline.night import run_nights
from orchestration.pipeline.state import waiting_nights
from orchestration.settings import Settings


@pytest.mark.slow
def test_the_same_rows_in_other_deliveries_give_the_same_tables(
    built: Built, tmp_path: Path, project_copy: Callable[[Settings], Settings]
) -> None:
    target = project_copy(copy_home(built.settings, tmp_path / "home", ("keys",)))
    _lift_bounds(target)
    nights = [datetime.combine(night, time(2), tzinfo=UTC) for night in built.report.nights]
    redeliver(built.settings, target, nights, seed=5)
    # Some nights alone, so that rows come after the customers whom they change.
    waiting = waiting_nights(target)
    assert waiting == built.report.nights
    for night in (waiting[0], waiting[2], waiting[-1]):
        run_nights(target, until=night)
    found = differences(built.settings.current.resolve(), target.current.resolve())
    assert found == {}


def _lift_bounds(settings: Settings) -> None:
    """Take the bound of broken rows from every source: it depends on the split by nature."""
    contracts = list((settings.contracts / "sources").glob("*.odcs.yaml"))
    for path in contracts:
        text = path.read_text(encoding="utf-8")
        lifted = text.replace(
            "property: rateBound\n    value: 0.05", "property: rateBound\n    value: 1"
        )
        path.write_text(lifted, encoding="utf-8")
    assert all("rateBound\n    value: 1\n" in path.read_text() for path in contracts)
