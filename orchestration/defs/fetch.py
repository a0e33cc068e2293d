"""The job that fetches from connectors, an hour before the nightly job takes what landed."""

import dagster as dg

from orchestration.connectors.fetching import Fetched
from orchestration.connectors.registry import has_connectors
from orchestration.connectors.run import fetch_tables
from orchestration.defs.faults import permanent_unless_transient
from orchestration.defs.liveness import hold_life_line
from orchestration.errors import JourneylineError
from orchestration.settings import Settings

JOB = "fetch"


def fetch_jobs(settings: Settings) -> list[dg.JobDefinition]:
    """The job, where any source has a connector."""
    try:
        connected = has_connectors(settings)
    except JourneylineError:
        # A mistake in sources.yml is for the run to tell; the graph loads without the job.
        return []
    if not connected:
        return []

    @dg.op(
        name="fetch_sources",
        description="Fetches every source with a connector and lands what is new.",
    )
    def fetch_sources(context: dg.OpExecutionContext) -> None:
        """Fetch, land, and fail at the end where a table failed."""
        hold_life_line(settings, context.run_id)
        with permanent_unless_transient():
            report = fetch_tables(settings, (), context.log.info)
        context.add_output_metadata({one.table: _told(one) for one in report})
        failed = {one.table: one.error for one in report if one.error}
        if failed:
            # Requests were repeated patiently; the next tick goes on where this stopped.
            raise dg.Failure(
                description="\n".join(f"{table}: {error}" for table, error in failed.items()),
                allow_retries=False,
            )

    @dg.job(
        name=JOB,
        executor_def=dg.in_process_executor,
        description="Fetches every source with a connector and lands what is new.",
    )
    def fetch() -> None:
        fetch_sources()

    return [fetch]


def fetch_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """01:00 UTC, so that the nightly job at 02:00 finds what was fetched."""
    return [
        dg.ScheduleDefinition(
            name=JOB,
            job_name=job.name,
            cron_schedule="0 1 * * *",
            execution_timezone="UTC",
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description="Fetches from connectors before the nightly job runs.",
        )
        for job in fetch_jobs(settings)
    ]


def _told(one: Fetched) -> str:
    return one.error or f"{one.records} record(s), {'new' if one.is_new else 'nothing new'}"
