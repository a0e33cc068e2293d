"""Everything about time and automation: nights as partitions, the job, the schedule, the sensor."""

import hashlib
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

import dagster as dg

from orchestration.company import load_company
from orchestration.defs.liveness import bury_dead_runs, is_writing
from orchestration.pipeline import state
from orchestration.pipeline.locking import writing
from orchestration.pipeline.night import nothing_waits
from orchestration.settings import Settings

ONE_RUN = dg.BackfillPolicy.single_run()
JOB = "nightly"
# Tag of a run whose last night is not over: its as-of is the newest arrival that it takes.
BETWEEN_NIGHTS = "journeyline/between_nights"
_RANGE_START = "dagster/asset_partition_range_start"
_RANGE_END = "dagster/asset_partition_range_end"


def nights_of(settings: Settings) -> dg.DailyPartitionsDefinition:
    """One partition a night, from the company's first night to the night that is going on."""
    first_night = load_company(settings).first_night
    return dg.DailyPartitionsDefinition(start_date=first_night.isoformat(), end_offset=1)


def last_night_to_take(context: dg.AssetExecutionContext, settings: Settings) -> date:
    """The last night of the run's partitions, but none after the last delivery.

    The UI offers the wall clock's night, which a demo company reaches years later, and as-of
    never goes back.
    """
    chosen = date.fromisoformat(context.partition_key_range.end)
    return min(chosen, state.newest_night(settings))


def is_between_nights(context: dg.AssetExecutionContext) -> bool:
    """Whether the run was asked for while its last night was going on."""
    return context.run.tags.get(BETWEEN_NIGHTS) == "true"


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

    @dg.schedule(
        name="nightly",
        cron_schedule="0 2 * * *",
        job_name=JOB,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Runs the nights that wait; a demo company's next night is delivered first.",
    )
    def nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """Run the nights that wait; in a demo home, deliver and run the company's next night."""
        from orchestration.demo.company import deliver_next_night, is_demo_home

        bury_dead_runs(settings, context.instance)
        is_demo = is_demo_home(settings)
        if is_demo and not state.waiting_nights(settings):
            if is_writing(settings):
                return dg.SkipReason("Another run is writing; the next tick delivers.")
            with writing(settings, wait=False):
                deliver_next_night(settings)
        if nothing_waits(settings):
            return dg.SkipReason("No delivery waits and nothing else changed.")
        waiting = state.waiting_nights(settings) or [_stands_at(settings)]
        # A demo company's night is over when it was delivered; its nights are not the clock's.
        is_over = is_demo or waiting[-1] < context.scheduled_execution_time.date()
        return dg.RunRequest(tags=_tags(nights, waiting, between_nights=not is_over))

    return nightly


def deliveries_sensor(
    settings: Settings, nights: dg.DailyPartitionsDefinition
) -> dg.SensorDefinition:
    """Runs the nightly job when deliveries or replays wait that no run has taken."""

    @dg.sensor(
        name="new_deliveries",
        job_name=JOB,
        minimum_interval_seconds=60,
        description="Runs the nightly job when deliveries or replays wait that no run has taken.",
    )
    def new_deliveries(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """Request one run over the nights of the deliveries and replays that wait."""
        bury_dead_runs(settings, context.instance)
        if is_writing(settings):
            return dg.SkipReason("A run is writing; what it leaves is looked at afterwards.")
        waiting = state.waiting_deliveries(settings)
        replays = state.waiting_replays(settings)
        if not waiting and not replays:
            return dg.SkipReason("No delivery and no replay waits.")
        received = [instant.date() for instant in (*waiting.values(), *replays)]
        told = ["/".join(delivery) for delivery in sorted(waiting)]
        names = "\n".join([*told, *(f"replay {instant.isoformat()}" for instant in replays)])
        return dg.RunRequest(
            run_key=hashlib.sha256(names.encode()).hexdigest(),
            tags=_tags(nights, received, between_nights=True),
        )

    return new_deliveries


def freshness() -> dg.FreshnessPolicy:
    """A release is expected every night, with half a day of grace."""
    return dg.FreshnessPolicy.time_window(
        fail_window=timedelta(hours=36), warn_window=timedelta(hours=26)
    )


def _stands_at(settings: Settings) -> date:
    return state.last_night(settings) or state.newest_night(settings)


def _tags(
    nights: dg.DailyPartitionsDefinition, waiting: Iterable[date], *, between_nights: bool
) -> dict[str, str]:
    ordered = sorted(waiting)
    tags = range_tags(nights, ordered[0], ordered[-1])
    return {**tags, BETWEEN_NIGHTS: "true"} if between_nights else tags
