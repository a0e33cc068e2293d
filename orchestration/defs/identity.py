"""Asset of the id ledger, between dbt's two phases."""

from collections.abc import Iterator

import dagster as dg

from orchestration.defs.automation import ONE_RUN
from orchestration.defs.faults import RETRIES
from orchestration.defs.lineage import Lineage
from orchestration.defs.tables import row_counts
from orchestration.defs.writing import POOL, step
from orchestration.pipeline import steps
from orchestration.settings import Settings


def identity_assets(
    settings: Settings, lineage: Lineage, nights: dg.PartitionsDefinition
) -> dg.AssetsDefinition:
    """The tables that the ledger step leaves for dbt."""
    upstream = lineage.keys(["int_records_delivered", "int_match_edges", "int_clusters"])
    specs = [
        dg.AssetSpec(
            key=key,
            description=description,
            group_name="unify",
            owners=["team:data-engineering"],
            kinds={"duckdb", "python"},
            deps=upstream,
        )
        for key, description in lineage.sources("identity").items()
    ]

    @dg.multi_asset(
        name="resolve_ids",
        specs=specs,
        partitions_def=nights,
        backfill_policy=ONE_RUN,
        retry_policy=RETRIES,
        pool=POOL,
    )
    def resolve_ids(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
        """Fold the clusters into the append-only id ledger and write its tables."""
        with step(context, settings, "identify") as seconds:
            report = steps.resolve_ids(settings)
            took = seconds()
            counts = row_counts(settings, context.selected_asset_keys)
        for key in sorted(context.selected_asset_keys):
            yield dg.MaterializeResult(
                asset_key=key,
                metadata={
                    "dagster/row_count": counts.get(key, 0),
                    "created": report.created,
                    "merged": report.merged,
                    "split": report.split,
                    "customers": report.customers,
                    "seconds": took,
                },
            )

    return resolve_ids
