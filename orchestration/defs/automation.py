"""Everything about time and automation: nights as partitions, the job, the schedule, the sensor."""

import hashlib
from datetime import date, timedelta
from typing import Any

import dagster as dg

from orchestration.company import load_company
from orchestration.pipeline import state
from orchestration.settings import Settings

POOL = "warehouse"
ONE_RUN = dg.BackfillPolicy.single_run()
JOB = "nightly"
_RANGE_START = "dagster/asset_partition_range_start"
_RANGE_END = "dagster/asset_partition_range_end"


def nights_of(settings: Settings) -> dg.DailyPartitionsDefinition:
    """One partition a night, from the company's first night to the night that is going on."""
    first_night = load_company(settings).first_night
    return dg.DailyPartitionsDefinition(start_date=first_night.isoformat(), end_offset=1)


def last_partition(context: dg.AssetExecutionContext) -> date:
    """The last night of the run's partition range."""
    return date.fromisoformat(context.partition_key_range.end)


def range_tags(nights: dg.DailyPartitionsDefinition, first: date, last: date) -> dict[str, str]:
    """The tags that make one run take a range of nights, kept within the known partitions."""
    oldest = date.fromisoformat(nights.get_first_partition_key())
    newest = date.fromisoformat(nights.get_last_partition_key())
    return {
        _RANGE_START: min(max(first, oldest), newest).isoformat(),
        _RANGE_END: min(max(last, oldest), newest).isoformat(),
    }


def nightly_job(nights: dg.DailyPartitionsDefinition) -> Any:
    """Everything from landing to release, in one process."""
    return dg.define_asset_job(
        JOB,
        selection=dg.AssetSelection.all(),
        partitions_def=nights,
        executor_def=dg.in_process_executor,
        description="Takes all the nights that wait, from their deliveries to one release.",
    )


def nightly_schedule(
    settings: Settings, nights: dg.DailyPartitionsDefinition
) -> dg.ScheduleDefinition:
    """02:00 UTC: run what waits; a demo company's next night is delivered first."""

    @dg.schedule(name="nightly", cron_schedule="0 2 * * *", job_name=JOB, execution_timezone="UTC")
    def nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """Run the nights that wait; in a demo home, deliver and run the company's next night."""
        from orchestration.demo.company import deliver_next_night, is_demo_home

        if is_demo_home(settings):
            deliver_next_night(settings)
        waiting = state.waiting_nights(settings)
        if not waiting:
            return dg.SkipReason("No delivery waits.")
        return dg.RunRequest(tags=range_tags(nights, waiting[0], waiting[-1]))

    return nightly


def deliveries_sensor(
    settings: Settings, nights: dg.DailyPartitionsDefinition
) -> dg.SensorDefinition:
    """Runs the nightly job when deliveries have arrived that no run has taken."""

    @dg.sensor(name="new_deliveries", job_name=JOB, minimum_interval_seconds=60)
    def new_deliveries(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """Request one run over the nights of the deliveries that wait."""
        waiting = state.waiting_deliveries(settings)
        if not waiting:
            return dg.SkipReason("No delivery waits.")
        received = sorted(received_at.date() for received_at in waiting.values())
        names = "\n".join("/".join(delivery) for delivery in sorted(waiting))
        return dg.RunRequest(
            run_key=hashlib.sha256(names.encode()).hexdigest(),
            tags=range_tags(nights, received[0], received[-1]),
        )

    return new_deliveries


def freshness() -> dg.FreshnessPolicy:
    """A release is expected every night, with half a day of grace."""
    return dg.FreshnessPolicy.time_window(
        fail_window=timedelta(hours=36), warn_window=timedelta(hours=26)
    )
