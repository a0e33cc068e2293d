"""What `releases diff` says changed, and why."""

from __future__ import annotations

from pathlib import Path

import publishing
import pytest

from orchestration.errors import JourneylineError
from orchestration.publish.comparing import TableDifference, compare_releases
from orchestration.publish.publisher import publish
from orchestration.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    home = publishing.make_home(tmp_path)
    publish(home, "run-1", now=publishing.clock)
    return home


def differences(settings: Settings) -> dict[str, TableDifference]:
    return {d.table: d for d in compare_releases(settings).tables}


def test_new_and_late_rows_are_told_apart_by_the_as_of_of_the_release_before(
    settings: Settings,
) -> None:
    publishing.change(
        settings,
        "insert into journey.fct_touchpoints values "
        "('n1', 'c1', 'inbound', 1, 1, timestamp '2026-01-05 10:00:00'), "
        "('n2', 'c1', 'inbound', 1, 1, timestamp '2026-01-05 11:00:00'), "
        "('l1', 'c2', 'inbound', 1, 1, timestamp '2025-11-05 10:00:00')",
    )
    publish(settings, "run-2")
    found = differences(settings)
    assert set(found) == {"fct_touchpoints"}
    touchpoints = found["fct_touchpoints"]
    assert (touchpoints.rows_before, touchpoints.rows_after) == (300, 303)
    assert (touchpoints.added, touchpoints.new_rows, touchpoints.late_rows) == (3, 2, 1)
    assert (touchpoints.removed, touchpoints.changed, touchpoints.other_rows) == (0, 0, 0)
    assert touchpoints.why == (
        "2 new rows since 2026-01-05T00:00:00Z",
        "1 late rows of before 2026-01-05T00:00:00Z",
    )


def test_rows_that_a_merge_moved_are_told_apart_from_other_changes(settings: Settings) -> None:
    publishing.change(
        settings,
        "insert into unify.fct_identity_history values "
        "('c1', 'c2', 'merged', timestamp '2026-01-05 10:00:00'); "
        "update journey.fct_touchpoints set customer_id = 'c1' where customer_id = 'c2'; "
        "delete from unify.dim_customers where customer_id = 'c2'; "
        "update unify.dim_customers set country = 'FR' where customer_id = 'c5'",
    )
    publish(settings, "run-2")
    difference = compare_releases(settings)
    found = {d.table: d for d in difference.tables}
    assert difference.identity == {"merged": 1}
    assert (found["fct_touchpoints"].changed, found["fct_touchpoints"].identity_rows) == (15, 15)
    customers = found["dim_customers"]
    assert (customers.removed, customers.changed) == (1, 1)
    assert (customers.identity_rows, customers.other_rows) == (1, 1)
    assert any("merged, split or corrected" in line for line in customers.why)


def test_a_changed_rule_is_named(settings: Settings) -> None:
    (settings.config / "kpis.yml").write_text("kpis: []\n")
    publishing.change(settings, "update unify.dim_customers set country = 'FR'")
    publish(settings, "run-2")
    difference = compare_releases(settings)
    assert difference.configuration == ("orchestration/config/kpis.yml",)
    (customers,) = difference.tables
    assert customers.changed == 20
    assert "rules or configuration changed: orchestration/config/kpis.yml" in customers.why


def test_changed_columns_are_named(settings: Settings) -> None:
    publishing.break_contract(settings, version="2.0.0", beside="2026-12-31")
    publish(settings, "run-2")
    customers, beside = compare_releases(settings).tables
    assert customers.columns == ("added: land", "removed: country")
    assert (customers.added, customers.changed) == (0, 0)
    assert (beside.table, beside.why) == ("dim_customers_v1", ("the table is new",))


def test_two_releases_can_be_named_and_one_without_another_cannot_be_compared(
    settings: Settings,
) -> None:
    first = settings.current.resolve().name
    with pytest.raises(JourneylineError, match="no release before") as raised:
        compare_releases(settings)
    assert raised.value.exit_code == 2
    publishing.add_night(settings)
    publish(settings, "run-2")
    second = settings.current.resolve().name
    backwards = compare_releases(settings, second, first)
    assert (backwards.before, backwards.after) == (second, first)
    (touchpoints,) = backwards.tables
    assert (touchpoints.added, touchpoints.removed) == (0, 1)
