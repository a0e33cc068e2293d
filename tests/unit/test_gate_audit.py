"""Each kind of rule finds what breaks it, and a candidate that breaks one is not published."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import publishing
import pytest

from orchestration.errors import JourneylineError
from orchestration.gate.audit import CheckResult, audit
from orchestration.gate.checks import AuditContext, KpiBound, derive_checks
from orchestration.gate.contracts import load_product_contracts
from orchestration.publish import files
from orchestration.publish.publisher import publish
from orchestration.publish.staging import stage
from orchestration.settings import Settings


def broken(settings: Settings, context: AuditContext | None = None) -> dict[str, CheckResult]:
    """Checks of a candidate that do not hold, by name."""
    contracts = load_product_contracts(settings.contracts / "products")
    folder = settings.home / "candidate"
    files.remove_tree(folder)
    folder.mkdir()
    staged = stage(settings, contracts, folder, settings.home / "spill")
    results = audit(staged.path, contracts, context or AuditContext())
    return {result.name: result for result in results if result.verdict != "passed"}


CASES = {
    "update unify.dim_customers set customer_id = 'c2' where customer_id = 'c1'": {
        "dim_customers.customer_id.unique",
        "fct_touchpoints.customer_id.foreign_key",
    },
    "update journey.fct_touchpoints set customer_id = null where touchpoint_id = 't1'": {
        "fct_touchpoints.customer_id.not_null"
    },
    "update journey.fct_touchpoints set direction = 'sideways' where touchpoint_id = 't1'": {
        "fct_touchpoints.direction.in_set"
    },
    "update journey.fct_touchpoints set handling_seconds = -1 where touchpoint_id = 't1'": {
        "fct_touchpoints.handling_seconds.in_range"
    },
    "alter table journey.fct_touchpoints alter handling_seconds type integer": {
        "fct_touchpoints.columns"
    },
    "alter table unify.dim_customers drop country": {
        "dim_customers.columns",
        "dim_customers.personal_data",
    },
    "alter table journey.fct_touchpoints drop direction": {
        "fct_touchpoints.columns",
        "fct_touchpoints.direction.in_set",
        "fct_touchpoints.personal_data",
    },
    "update unify.dim_customers set country = 'ann@example.com' where customer_id = 'c1'": {
        "dim_customers.personal_data"
    },
    "update unify.dim_customers set country = 'call +49 151 2345678' where customer_id = 'c1'": {
        "dim_customers.personal_data"
    },
    "delete from unify.fct_identity_history where customer_id = 'c3'": {"customers_have_history"},
    "update ingest.deliveries set accepted_count = accepted_count - 1": {"row_ledger_balances"},
}


@pytest.mark.parametrize("sql", CASES, ids=lambda sql: sql[:60])
def test_each_kind_of_rule_finds_the_rows_that_break_it(tmp_path: Path, sql: str) -> None:
    settings = publishing.make_home(tmp_path)
    publishing.change(settings, sql)
    assert set(broken(settings)) == CASES[sql]


def test_a_sound_candidate_breaks_nothing(tmp_path: Path) -> None:
    assert broken(publishing.make_home(tmp_path)) == {}


def test_a_release_is_refused_with_the_rule_the_count_and_samples(tmp_path: Path) -> None:
    settings = publishing.make_home(tmp_path)
    publish(settings, "run-1")
    before = settings.current.resolve()
    publishing.change(
        settings,
        "update journey.fct_touchpoints set direction = 'ann@example.com' "
        "where handling_seconds < 7",
    )
    with pytest.raises(JourneylineError) as raised:
        publish(settings, "run-2")
    assert raised.value.exit_code == 3
    message = str(raised.value)
    assert "fct_touchpoints.direction.in_set" in message
    assert "Rows that break it: 7" in message
    assert message.count("touchpoint_id=") == 10
    assert "<e-mail>" in message
    assert "ann@example.com" not in message
    assert settings.current.resolve() == before
    assert not (settings.releases / ".staging").exists()
    kept = {r["name"]: r for r in json.loads((settings.logs / "last_refusal.json").read_text())}
    assert set(kept) == {"fct_touchpoints.direction.in_set", "fct_touchpoints.personal_data"}
    assert {(r["verdict"], r["failing_count"]) for r in kept.values()} == {("failed", 7)}


def test_a_table_that_shrank_is_a_warning_and_does_not_stop_the_release(tmp_path: Path) -> None:
    settings = publishing.make_home(tmp_path)
    publish(settings, "run-1")
    publishing.change(settings, "delete from journey.fct_touchpoints where handling_seconds > 50")
    report = publish(settings, "run-2")
    assert (report.published, report.checks_warned, report.checks_failed) == (True, 1, 0)
    again = publish(settings, "run-3")
    assert not again.published


def add_products(settings: Settings) -> None:
    """The real contracts of stages and KPIs beside the small ones, each with sound rows."""
    real = Settings(home=settings.home).contracts / "products"
    for table in ("fct_journey_stages", "fct_kpi_values"):
        source = real / f"{table}.odcs.yaml"
        (settings.contracts / "products" / source.name).write_bytes(source.read_bytes())
    contracts = load_product_contracts(settings.contracts / "products")
    publishing.change(settings, "create schema measure")
    for contract in contracts:
        if contract.table not in ("fct_journey_stages", "fct_kpi_values"):
            continue
        columns = ", ".join(f"{c.name} {c.data_type}" for c in contract.columns)
        publishing.change(settings, f"create table {contract.schema}.{contract.table} ({columns})")
    publishing.change(
        settings,
        """
        insert into journey.fct_journey_stages by name
        select
            'j1' as journey_instance_id, 'c1' as customer_id, 'trial_to_paid' as journey,
            col0 as stage, 1 as visit_number, 'move' as entered_by, col1 as left_by,
            col2::timestamp as entered_at, col3::timestamp as left_at
        from (values
            ('trial', 'move', '2025-10-01', '2025-10-02'),
            ('activated', 'move', '2025-10-02', '2025-10-02'),
            ('checkout', 'move', '2025-10-02', '2025-10-03'),
            ('paid', null, '2025-10-03', null)
        );
        insert into measure.fct_kpi_values by name
        select
            'churn_share' as kpi, 'month' as grain, 'all' as slice_type, 'all' as slice_value,
            0.1 as value, date '2025-10-01' as period_start
        """,
    )


def test_stage_visits_that_touch_are_sound_and_those_that_overlap_are_not(tmp_path: Path) -> None:
    settings = publishing.make_home(tmp_path)
    add_products(settings)
    assert broken(settings) == {}
    publishing.change(
        settings,
        "update journey.fct_journey_stages set left_at = '2025-10-02 00:00:01' "
        "where stage = 'trial'",
    )
    assert set(broken(settings)) == {"stage_visits_do_not_overlap"}


def test_a_kpi_outside_of_its_bounds_stops_the_release(tmp_path: Path) -> None:
    settings = publishing.make_home(tmp_path)
    add_products(settings)
    within = AuditContext(kpi_bounds=(KpiBound("churn_share", 0, 0.1),))
    assert broken(settings, within) == {}
    outside = AuditContext(kpi_bounds=(KpiBound("churn_share", None, 0.09),))
    failed = broken(settings, outside)
    assert {name: r.verdict for name, r in failed.items()} == {
        "fct_kpi_values.churn_share.kpi_bound": "failed"
    }


def test_small_cells_by_agent_or_department_are_not_published(tmp_path: Path) -> None:
    settings = publishing.make_home(tmp_path)
    add_products(settings)
    publishing.change(
        settings,
        """
        insert into measure.fct_kpi_values by name
        select
            'csat_share' as kpi, 'month' as grain, col0 as slice_type, col1 as slice_value,
            0.5 as value, 1 as numerator, col2 as denominator, date '2025-10-01' as period_start
        from (values
            ('agent', 'a1', 4), ('agent', 'a2', 5), ('department', 'sales', 1), ('plan', 'pro', 1)
        )
        """,
    )
    assert broken(settings) == {}
    path = settings.home / "candidate" / "parquet" / "fct_kpi_values" / "fct_kpi_values.parquet"
    rows = duckdb.sql(
        f"select slice_value, value, numerator, denominator from '{path}' "
        "where kpi = 'csat_share' order by 1"
    ).fetchall()
    assert rows == [
        ("a1", None, None, None),
        ("a2", 0.5, 1.0, 5.0),
        ("pro", 0.5, 1.0, 1.0),
        ("sales", None, None, None),
    ]


def test_a_small_cell_whose_column_is_not_listed_stops_the_release(tmp_path: Path) -> None:
    contracts = load_product_contracts(Settings(home=tmp_path).contracts / "products")
    (kpis,) = [contract for contract in contracts if contract.table == "fct_kpi_values"]
    (check,) = [
        check for check in derive_checks([kpis], AuditContext()) if check.kind == "small_cells"
    ]
    columns = ", ".join(f"{c.name} {c.data_type}" for c in kpis.columns)
    with duckdb.connect() as connection:
        connection.execute(f"create table fct_kpi_values ({columns})")
        connection.execute(
            "insert into fct_kpi_values by name select 'agent' as slice_type, 0.5 as value, "
            "4 as denominator union all by name select 'agent' as slice_type, 0.5 as value, "
            "5 as denominator"
        )
        assert len(connection.execute(check.failing_rows).fetchall()) == 1
