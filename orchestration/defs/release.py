"""Assets of stages *gate* and *publish*: the verdicts on the candidate, and the release.

Both come out of one step, because the audit runs inside the publisher: whoever materializes the
release alone is audited too. The asset checks mirror the verdicts for the UI.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import dagster as dg

from orchestration.defs.automation import ONE_RUN, freshness
from orchestration.defs.faults import RETRIES
from orchestration.defs.lineage import Lineage
from orchestration.defs.verdicts import ACROSS_TABLES, verdict_results
from orchestration.defs.writing import POOL, step, tag_run
from orchestration.errors import EXIT_REFUSED, JourneylineError
from orchestration.pipeline import steps
from orchestration.publish.publisher import PublishReport
from orchestration.settings import Settings

AUDIT = dg.AssetKey(["gate", "audit"])
RELEASE = dg.AssetKey(["releases", "current"])


def release_assets(
    settings: Settings, lineage: Lineage, nights: dg.PartitionsDefinition
) -> dg.AssetsDefinition:
    """`gate/audit`, with a blocking check per product contract and one across tables, then
    `releases/current`."""
    products = lineage.products
    specs = [
        dg.AssetSpec(
            key=AUDIT,
            description="What the gate found in the staged candidate: every rule of the product "
            "contracts, the invariants across tables, the bounds of KPIs and row counts.",
            deps=[*lineage.keys(products), dg.AssetKey(["ingest", "deliveries"])],
            group_name="gate",
            owners=["team:data-engineering"],
            kinds={"greatexpectations", "duckdb"},
            skippable=True,
        ),
        dg.AssetSpec(
            key=RELEASE,
            description="The release that readers see: one immutable folder with the DuckDB file, "
            "the Parquet files and the manifest, flipped to in one step.",
            deps=[AUDIT],
            group_name="publish",
            owners=["team:data-engineering"],
            kinds={"duckdb", "parquet"},
            freshness_policy=freshness(),
            skippable=True,
        ),
    ]
    checks = [
        dg.AssetCheckSpec(
            name=name,
            asset=AUDIT,
            blocking=True,
            description=f"What the gate found in {name.replace('_', ' ')}.",
        )
        for name in [*products, ACROSS_TABLES]
    ]

    @dg.multi_asset(
        name="publish_release",
        specs=specs,
        check_specs=checks,
        partitions_def=nights,
        backfill_policy=ONE_RUN,
        retry_policy=RETRIES,
        pool=POOL,
    )
    def publish_release(context: dg.AssetExecutionContext) -> Iterator[Any]:
        """Stage the candidate, audit it inside the publisher, and flip to it."""
        with step(context, settings, "gate and publish") as seconds:
            try:
                report = steps.publish_release(settings, context.run_id)
            except JourneylineError as refusal:
                if refusal.exit_code == EXIT_REFUSED:
                    tag_run(context, {"refused_by_gate": "true"})
                    yield _audited(_refusal(settings), products, seconds())
                raise
            took = seconds()
        tag_run(context, {"release": report.release_id, "published": report.published})
        yield _audited([asdict(result) for result in report.checks], products, took)
        yield dg.MaterializeResult(asset_key=RELEASE, metadata=_metadata(settings, report, took))

    return publish_release


def _audited(
    results: Sequence[Mapping[str, Any]], products: Sequence[str], seconds: float
) -> dg.MaterializeResult:
    failed = [str(result["name"]) for result in results if result["verdict"] == "failed"]
    warned = [str(result["name"]) for result in results if result["verdict"] == "warned"]
    return dg.MaterializeResult(
        asset_key=AUDIT,
        metadata={
            "dagster/row_count": len(results),
            "failed": ", ".join(failed) or "-",
            "warned": ", ".join(warned) or "-",
            "seconds": seconds,
        },
        check_results=verdict_results(results, products),
    )


def _refusal(settings: Settings) -> list[dict[str, Any]]:
    """The verdicts that did not pass, as the gate left them when it refused."""
    path = settings.logs / "last_refusal.json"
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _metadata(settings: Settings, report: PublishReport, seconds: float) -> dict[str, Any]:
    rows = report.table_rows
    metadata: dict[str, Any] = {
        "release": report.release_id or "-",
        "published": report.published,
        "reason": report.reason or "-",
        "dagster/row_count": sum(rows.values()),
        "rows": dg.MetadataValue.table(
            [dg.TableRecord({"table": table, "rows": rows[table]}) for table in sorted(rows)]
        ),
        "seconds": seconds,
    }
    if report.path is not None:
        metadata["folder"] = dg.MetadataValue.path(str(report.path))
        metadata["manifest"] = dg.MetadataValue.url((report.path / "manifest.json").as_uri())
    return metadata
