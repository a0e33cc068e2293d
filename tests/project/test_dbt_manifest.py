"""Rules over dbt's manifest: everything is described, keys are tested, layers are kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MARTS = ("dim_", "fct_", "bridge_")


def _tests_of(manifest: Any, model: Any) -> Iterator[Any]:
    """The data tests attached to a model."""
    for node in manifest.nodes.values():
        if node.resource_type == "test" and node.attached_node == model.unique_id:
            yield node


def test_every_model_and_column_is_described(models: list[Any]) -> None:
    missing = [model.name for model in models if not model.description]
    missing += [
        f"{model.name}.{column.name}"
        for model in models
        for column in model.columns.values()
        if not column.description
    ]
    assert missing == []
    assert [model.name for model in models if not model.columns] == []


def test_every_stored_model_has_a_test_of_its_grain(manifest: Any, models: list[Any]) -> None:
    # A history may repeat itself, a list of what should not be has no grain to keep, and the
    # units of a KPI are a bag: a customer may count twice.
    exempt = {"stg_identity__history", "int_records_without_customer"}
    missing = [
        model.name
        for model in models
        if (model.config.materialized != "view" or model.name.startswith("stg_"))
        and model.name not in exempt
        and not model.name.endswith("_units")
        and not any(
            test.test_metadata is not None and test.test_metadata.name in {"grain", "unique"}
            for test in _tests_of(manifest, model)
        )
    ]
    assert missing == []


def test_marts_have_enforced_contracts(models: list[Any]) -> None:
    marts = [model for model in models if model.name.startswith(MARTS)]
    assert len(marts) >= 14
    assert [model.name for model in marts if not model.config.contract.enforced] == []


def test_every_mart_with_customers_refers_to_them_or_to_what_does(
    manifest: Any, models: list[Any]
) -> None:
    # The history names ids that are gone, and the dimension is what the others refer to.
    exempt = {"dim_customers", "fct_identity_history"}
    missing = [
        model.name
        for model in models
        if model.name.startswith(MARTS)
        and "customer_id" in model.columns
        and model.name not in exempt
        and not any(
            test.test_metadata is not None
            and test.test_metadata.name == "relationships"
            and test.column_name in {"customer_id", "journey_instance_id"}
            for test in _tests_of(manifest, model)
        )
    ]
    assert missing == []


def test_only_staging_reads_sources(models: list[Any]) -> None:
    outside = [
        model.name
        for model in models
        if not model.name.startswith("stg_")
        and any(node.startswith("source.") for node in model.depends_on.nodes)
    ]
    assert outside == []


def test_staging_reads_one_source_table_and_joins_nothing(models: list[Any]) -> None:
    for model in models:
        if model.name.startswith("stg_"):
            assert len(model.depends_on.nodes) == 1, model.name
            assert " join " not in model.raw_code.lower(), model.name


def test_every_model_has_a_group_and_a_bare_schema(models: list[Any]) -> None:
    stages = {
        "stage": "staging",
        **{name: name for name in ("unify", "journey", "measure", "decide")},
    }
    for model in models:
        assert stages[model.config.group] == model.schema, model.name


def test_nothing_before_the_ledger_depends_on_what_follows_it(manifest: Any) -> None:
    for node in manifest.nodes.values():
        if node.resource_type == "model" and "phase_records" in node.tags:
            later = [
                parent
                for parent in node.depends_on.nodes
                if parent.startswith("model.")
                and "phase_records" not in manifest.nodes[parent].tags
            ]
            assert later == [], node.name


def test_customer_grained_models_delete_and_append_the_touched(models: list[Any]) -> None:
    grained = [model for model in models if "customer_grain" in model.tags]
    assert len(grained) >= 6
    for model in grained:
        assert model.config.materialized == "incremental", model.name
        assert model.config.incremental_strategy == "touched_customers", model.name
        assert "touched_customers_filter" in model.raw_code, model.name
