"""dbt's unit tests pass, all of them, and every deciding model makes nothing of nothing."""

from __future__ import annotations

import pytest
from built_company import Built, copy_home

from orchestration import warehouse
from orchestration.errors import JourneylineError
from orchestration.pipeline.dbt_runner import NodeResult, parsed_manifest, run_dbt
from orchestration.settings import Settings

# What dbt needs of a home to test its models: the tables that the models read, and the keys.
PARTS = ("keys", "warehouse.duckdb")


@pytest.fixture(scope="module")
def home(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A copy of the built warehouse: dbt makes temporary tables where it tests."""
    return copy_home(built.settings, tmp_path_factory.mktemp("unit_tests") / "home", PARTS)


def _results(settings: Settings, args: list[str]) -> list[NodeResult]:
    results: list[NodeResult] = []
    try:
        run_dbt(settings, args, on_result=results.append)
    except JourneylineError:
        assert any(result.failed for result in results), "dbt stopped before the first result"
    return results


def test_every_unit_test_passes(home: Settings) -> None:
    declared = {test.name for test in parsed_manifest(home).unit_tests.values()}
    assert len(declared) >= 45
    results = [
        result
        for result in _results(home, ["test", "--select", "test_type:unit"])
        if result.resource_type == "unit_test"
    ]
    assert {result.name: result.message for result in results if result.status != "pass"} == {}
    assert {result.name for result in results} == declared


def test_every_unit_tested_model_makes_nothing_of_nothing(home: Settings) -> None:
    """No row in, no row out and no error, on a first night: what is counted of nothing is none."""
    models = sorted({test.model for test in parsed_manifest(home).unit_tests.values()})
    _results(home, ["run", "--empty", "--full-refresh", "--select", *models])
    counts = _row_counts(home, models)
    assert len(counts) >= 35
    assert {model: count for model, count in counts.items() if count} == {}


def _row_counts(settings: Settings, models: list[str]) -> dict[str, int]:
    connection = warehouse.connect(settings.warehouse, read_only=True)
    try:
        tables = connection.execute(
            "select table_name, table_schema from information_schema.tables"
        ).fetchall()
        schemas = dict(tables)
        return {
            model: len(connection.execute(f"select 1 from {schemas[model]}.{model}").fetchall())
            for model in models
        }
    finally:
        connection.close()
