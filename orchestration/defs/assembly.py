"""Puts the code location together: partitions, assets, job, schedule, sensor."""

import dagster as dg

from orchestration.defs.automation import (
    deliveries_sensor,
    nightly_job,
    nightly_schedule,
    nights_of,
)
from orchestration.defs.fetch import fetch_jobs, fetch_schedules
from orchestration.defs.identity import identity_assets
from orchestration.defs.ingest import configuration_assets, ingest_assets
from orchestration.defs.lineage import Lineage
from orchestration.defs.release import release_assets
from orchestration.defs.transform import dbt_phases
from orchestration.settings import Settings


@dg.definitions
def pipeline() -> dg.Definitions:
    """The whole path of the data, for the home that the environment names."""
    return assemble(Settings.from_environment())


def assemble(settings: Settings) -> dg.Definitions:
    """The definitions of one home."""
    nights = nights_of(settings)
    lineage = Lineage(settings)
    return dg.Definitions(
        assets=[
            ingest_assets(settings, lineage, nights),
            configuration_assets(settings, lineage, nights),
            identity_assets(settings, lineage, nights),
            *dbt_phases(settings, lineage, nights),
            release_assets(settings, lineage, nights),
            build_marks(),
        ],
        jobs=[nightly_job(nights), *fetch_jobs(settings)],
        schedules=[nightly_schedule(settings, nights), *fetch_schedules(settings)],
        sensors=[deliveries_sensor(settings, nights)],
        executor=dg.in_process_executor,
    )


def build_marks() -> dg.AssetSpec:
    """dbt's own mark: up to which load the customer-grained models are built."""
    return dg.AssetSpec(
        key=["pipeline", "build_marks"],
        description="The load and as-of up to which customer-grained models are built.",
        group_name="unify",
        owners=["team:data-engineering"],
        kinds={"duckdb"},
    )
