"""Assets of dbt's two phases, with its data tests as asset checks."""

from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg
from dagster_dbt import dbt_assets
from dagster_dbt.asset_utils import get_asset_check_key_for_test

from orchestration.defs.automation import ONE_RUN
from orchestration.defs.faults import RETRIES
from orchestration.defs.lineage import PHASE_TAG, Lineage
from orchestration.defs.tables import row_counts
from orchestration.defs.writing import POOL, step
from orchestration.errors import JourneylineError
from orchestration.pipeline import steps
from orchestration.pipeline.dbt_runner import NodeResult
from orchestration.pipeline.progress import tell
from orchestration.settings import Settings


def dbt_phases(
    settings: Settings, lineage: Lineage, nights: dg.PartitionsDefinition
) -> list[dg.AssetsDefinition]:
    """The models up to the clusters, and the models that need the id ledger."""
    return [
        _phase(settings, lineage, nights, "match_records", "stage and match", steps.build_records,
               {"select": f"tag:{PHASE_TAG}"}),
        _phase(settings, lineage, nights, "build_customers", "unify, journey, measure, decide",
               steps.build_customers, {"exclude": f"tag:{PHASE_TAG}"}),
    ]  # fmt: skip


def _phase(
    settings: Settings,
    lineage: Lineage,
    nights: dg.PartitionsDefinition,
    name: str,
    title: str,
    build: Callable[..., list[NodeResult]],
    selection: dict[str, str],
) -> dg.AssetsDefinition:
    @dbt_assets(
        manifest=lineage.manifest,
        dagster_dbt_translator=lineage.translator,
        name=name,
        partitions_def=nights,
        backfill_policy=ONE_RUN,
        retry_policy=RETRIES,
        pool=POOL,
        **selection,
    )
    def phase(context: dg.AssetExecutionContext) -> Iterator[Any]:
        """Build the selected models with dbt, tests included."""
        everything = context.selected_asset_keys == phase.keys
        chosen = sorted(lineage.models[key] for key in context.selected_asset_keys)
        results: list[NodeResult] = []
        error: JourneylineError | None = None
        with step(context, settings, title):
            try:
                build(
                    settings,
                    only=None if everything else chosen,
                    progress=tell,
                    on_result=results.append,
                )
            except JourneylineError as raised:
                error = raised
            yield from _dagster_results(settings, lineage, context, results)
            if error is not None:
                raise error

    return phase


def _dagster_results(
    settings: Settings,
    lineage: Lineage,
    context: dg.AssetExecutionContext,
    results: list[NodeResult],
) -> Iterator[Any]:
    keys = {lineage.models[key]: key for key in context.selected_asset_keys}
    counts = row_counts(settings, context.selected_asset_keys)
    # In dbt's own order: Dagster wants a model after those it reads.
    for result in results:
        if result.resource_type == "model" and result.status == "success" and result.name in keys:
            key = keys[result.name]
            rows = {"dagster/row_count": counts[key]} if key in counts else {}
            yield dg.MaterializeResult(
                asset_key=key, metadata={"seconds": round(result.seconds, 3), **rows}
            )
    for result in results:
        known = result.unique_id in lineage.manifest["nodes"]
        if result.resource_type != "test" or result.status == "skipped" or not known:
            continue
        check = get_asset_check_key_for_test(
            lineage.manifest, lineage.translator, result.unique_id, None
        )
        if check in context.selected_asset_check_keys:
            yield dg.AssetCheckResult(
                asset_key=check.asset_key,
                check_name=check.name,
                passed=result.status == "pass",
                severity=dg.AssetCheckSeverity.ERROR
                if result.failed
                else dg.AssetCheckSeverity.WARN,
                metadata={"failing_rows": result.failures or 0},
            )
