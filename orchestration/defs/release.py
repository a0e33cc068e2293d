"""Asset of stages *gate* and *publish*: the release that readers see, and the verdicts on it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg

from orchestration.defs.automation import ONE_RUN, POOL, freshness
from orchestration.defs.faults import RETRIES, permanent_unless_transient
from orchestration.defs.lineage import Lineage
from orchestration.errors import EXIT_REFUSED, JourneylineError
from orchestration.pipeline import steps
from orchestration.pipeline.progress import tell
from orchestration.settings import Settings

RELEASE = dg.AssetKey(["releases", "current"])
ACROSS_TABLES = "across_tables"


def release_assets(
    settings: Settings, lineage: Lineage, nights: dg.PartitionsDefinition
) -> dg.AssetsDefinition:
    """`releases/current`, with one blocking check per product contract and one across tables."""
    contracts = (settings.contracts / "products").glob("*.odcs.yaml")
    products = sorted(path.name.removesuffix(".odcs.yaml") for path in contracts)
    checks = [
        dg.AssetCheckSpec(
            name=name,
            asset=RELEASE,
            blocking=True,
            description=f"What the gate found in {name.replace('_', ' ')}.",
        )
        for name in [*products, ACROSS_TABLES]
    ]

    @dg.asset(
        key=RELEASE,
        deps=[*lineage.published(products), dg.AssetKey(["ingest", "deliveries"])],
        check_specs=checks,
        partitions_def=nights,
        backfill_policy=ONE_RUN,
        retry_policy=RETRIES,
        pool=POOL,
        group_name="publish",
        owners=["team:data-engineering"],
        kinds={"duckdb", "parquet"},
        freshness_policy=freshness(),
    )
    def current(context: dg.AssetExecutionContext) -> Iterator[Any]:
        """The release in place: staged, audited inside the publisher, flipped in one step."""
        tell("gate and publish …")
        with permanent_unless_transient():
            try:
                report = steps.publish_release(settings, context.run.run_id)
            except JourneylineError as refusal:
                yield from _refused(settings, refusal, products)
                raise
            manifest = json.loads((settings.current / "manifest.json").read_text(encoding="utf-8"))
            yield dg.MaterializeResult(
                metadata=_metadata(settings, report, manifest),
                check_results=_verdicts(manifest, products),
            )

    return current


def _refused(
    settings: Settings, refusal: JourneylineError, products: list[str]
) -> list[dg.AssetCheckResult]:
    """The failed verdicts of a candidate that the gate refused; none for another failure."""
    path = settings.logs / "last_refusal.json"
    if refusal.exit_code != EXIT_REFUSED or not path.exists():
        return []
    found = _verdicts({"checks": json.loads(path.read_text(encoding="utf-8"))}, products)
    return [verdict for verdict in found if not verdict.passed]


def _metadata(settings: Settings, report: Any, manifest: dict[str, Any]) -> dict[str, Any]:
    folder = Path(settings.current).resolve()
    return {
        "release_id": str(report.release_id),
        "published": bool(report.published),
        "reason": str(report.reason or "-"),
        "path": dg.MetadataValue.path(str(folder)),
        "manifest": dg.MetadataValue.path(str(folder / "manifest.json")),
        "checks": len(manifest.get("checks", [])),
    }


def _verdicts(manifest: dict[str, Any], products: list[str]) -> list[dg.AssetCheckResult]:
    failed: dict[str, list[str]] = {name: [] for name in [*products, ACROSS_TABLES]}
    count = dict.fromkeys(failed, 0)
    for check in manifest.get("checks", []):
        name = check.get("table") if check.get("table") in failed else ACROSS_TABLES
        count[name] += 1
        if check["verdict"] == "failed":
            failed[name].append(str(check["name"]))
    return [
        dg.AssetCheckResult(
            check_name=name,
            passed=not failures,
            metadata={"checks": count[name], "failed": ", ".join(failures) or "-"},
        )
        for name, failures in failed.items()
    ]
