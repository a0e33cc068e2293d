"""Runs assets of a home as the UI would, and reads what Dagster recorded of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg

from orchestration.defs.assembly import assemble
from orchestration.settings import Settings


@dataclass(frozen=True)
class Outcome:
    """One run and what Dagster recorded of it."""

    run: dg.DagsterRun
    result: Any
    events: Sequence[Any]

    @property
    def metadata(self) -> dict[str, dict[str, Any]]:
        """Metadata of every asset that was materialized, by `schema/table`."""
        return {
            event.asset_key.to_user_string(): {
                name: value.value
                for name, value in event.step_materialization_data.materialization.metadata.items()
            }
            for event in self.events
            if event.event_type_value == "ASSET_MATERIALIZATION"
        }

    @property
    def checks(self) -> dict[str, Any]:
        """Every check evaluation of the run, by `schema/table:check`."""
        return {
            f"{data.asset_key.to_user_string()}:{data.check_name}": data
            for event in self.events
            if event.event_type_value == "ASSET_CHECK_EVALUATION"
            for data in [event.asset_check_evaluation_data]
        }

    @property
    def failures(self) -> list[str]:
        """What the failed steps said."""
        return [
            event.step_failure_data.error_display_string
            for event in self.events
            if event.event_type_value == "STEP_FAILURE"
        ]

    def count(self, event_type: str) -> int:
        """How many events of a type the run has."""
        return sum(event.event_type_value == event_type for event in self.events)


def materialize(
    settings: Settings,
    instance: dg.DagsterInstance,
    night: date,
    *names: str,
    tags: dict[str, str] | None = None,
) -> Outcome:
    """Materialize assets for one night's partition.

    Args:
        settings: Home and project.
        instance: Where the run is recorded.
        night: The partition chosen.
        *names: Assets as `schema/table`; none means all of them.
        tags: Tags of the run.
    """
    job = assemble(settings).resolve_job_def("nightly")
    result = job.execute_in_process(
        instance=instance,
        partition_key=night.isoformat(),
        asset_selection=[dg.AssetKey(name.split("/")) for name in names] or None,
        raise_on_error=False,
        tags=tags,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )
    return recorded(instance, result.run_id, result)


def recorded(instance: dg.DagsterInstance, run_id: str, result: Any = None) -> Outcome:
    """What the instance knows of a run."""
    run = instance.get_run_by_id(run_id)
    assert run is not None
    logs = instance.all_logs(run_id)
    return Outcome(run, result, [log.dagster_event for log in logs if log.is_dagster_event])
