"""Assets of stage *ingest*: one per source table, loaded together, and the configuration tables."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from orchestration.defs.automation import ONE_RUN, is_between_nights, last_night_to_take
from orchestration.defs.faults import RETRIES
from orchestration.defs.lineage import Lineage, team
from orchestration.defs.quarantine import quarantine_metadata
from orchestration.defs.tables import delivered_rows, row_counts
from orchestration.defs.writing import POOL, step, tag_run
from orchestration.errors import JourneylineError
from orchestration.ingest.sources import load_sources
from orchestration.pipeline import steps
from orchestration.settings import Settings


def source_asset(path: Path) -> dg.AssetSpec:
    """The asset of one source table, from its contract."""
    contract: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    table = contract["schema"][0]
    source = contract["name"].split("/")[0]
    return dg.AssetSpec(
        key=["raw", table["name"]],
        description=f"{table['description']} {table.get('dataGranularityDescription', '')}".strip(),
        group_name="ingest",
        owners=[team(contract.get("team", {}).get("name", "data engineering"))],
        kinds={"duckdb", "file"},
        tags={"source": source, "entity": contract["name"].split("/")[1]},
        metadata={"contract": dg.MetadataValue.path(str(path))},
        skippable=True,
    )


def _sources_off(settings: Settings) -> set[str]:
    """Sources that are switched off; a file that is wrong is for the step to tell."""
    try:
        return {name for name, source in load_sources(settings).items() if not source.enabled}
    except JourneylineError:
        return set()


def ingest_assets(
    settings: Settings, lineage: Lineage, nights: dg.PartitionsDefinition
) -> dg.AssetsDefinition:
    """Everything the loader writes: the raw tables, the row ledger, the clock."""
    off = _sources_off(settings)
    contracts = sorted((settings.contracts / "sources").glob("*.odcs.yaml"))
    specs = [source_asset(path) for path in contracts if path.name.split(".")[0] not in off]
    labels = {spec.key: f"{spec.tags['source']}/{spec.tags['entity']}" for spec in specs}
    ledgers = {**lineage.sources("ingest"), **lineage.sources("pipeline")}
    specs += [
        dg.AssetSpec(
            key=key,
            description=description,
            group_name="ingest",
            owners=["team:data-engineering"],
            kinds={"duckdb"},
            skippable=True,
        )
        for key, description in ledgers.items()
        if key.path[-1] != "build_marks"
    ]

    @dg.multi_asset(
        name="load_deliveries",
        specs=specs,
        can_subset=True,
        partitions_def=nights,
        backfill_policy=ONE_RUN,
        retry_policy=RETRIES,
        pool=POOL,
    )
    def load_deliveries(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
        """Load every delivery that waits, up to the last night of the partition range."""
        with step(context, settings, "ingest") as seconds:
            until = last_night_to_take(context, settings)
            report = steps.load(settings, until, between_nights=is_between_nights(context))
            shared = {
                "as_of": f"{report.as_of} UTC",
                "refused_deliveries": len(report.refused),
                "refused": ", ".join(report.refused) or "-",
                "held_sources": ", ".join(report.held_sources) or "-",
                "seconds": seconds(),
            }
            counts = row_counts(settings, context.selected_asset_keys)
            delivered = delivered_rows(settings, report.load_number)
            trends = quarantine_metadata(settings)
        total = {
            "accepted_rows": report.accepted,
            "quarantined_rows": report.quarantined,
            "duplicate_rows": report.duplicates,
        }
        nothing = dict.fromkeys(total, 0)
        tag_run(context, {**total, "refused_deliveries": len(report.refused)})
        for key in sorted(context.selected_asset_keys):
            rows = {"dagster/row_count": counts[key]} if key in counts else {}
            own = total if key not in labels else delivered.get(labels[key], nothing)
            quarantine = trends.get(labels.get(key, ""), {})
            metadata = {**rows, **own, **quarantine, **shared}
            yield dg.MaterializeResult(asset_key=key, metadata=metadata)

    return load_deliveries


def configuration_assets(
    settings: Settings, lineage: Lineage, nights: dg.PartitionsDefinition
) -> dg.AssetsDefinition:
    """The configuration files as tables of schema `config`."""
    specs = [
        dg.AssetSpec(
            key=key,
            description=description,
            group_name="ingest",
            owners=["team:data-engineering"],
            kinds={"duckdb", "yaml"},
            deps=[["pipeline", "clock"]],
        )
        for key, description in lineage.sources("config").items()
    ]

    @dg.multi_asset(
        name="write_configuration",
        specs=specs,
        partitions_def=nights,
        backfill_policy=ONE_RUN,
        retry_policy=RETRIES,
        pool=POOL,
    )
    def write_configuration(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
        """Prove the configuration files and write them as tables."""
        with step(context, settings, "configure") as seconds:
            steps.write_configuration(settings)
            took = seconds()
            counts = row_counts(settings, context.selected_asset_keys)
        for key in sorted(context.selected_asset_keys):
            yield dg.MaterializeResult(
                asset_key=key,
                metadata={"dagster/row_count": counts.get(key, 0), "seconds": took},
            )

    return write_configuration
