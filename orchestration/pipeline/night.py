"""A run: every night that waits, from landing to release, in one process and without Dagster."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, TypeVar

from orchestration.pipeline import state, steps
from orchestration.pipeline.dbt_runner import Progress
from orchestration.pipeline.locking import writing
from orchestration.publish.identity_guard import allow_refold
from orchestration.settings import Settings

if TYPE_CHECKING:
    from orchestration.ingest.loader import LoadReport
    from orchestration.publish.publisher import PublishReport
    from orchestration.unify.ledger import LedgerReport

T = TypeVar("T")


@dataclass
class RunReport:
    """What a run did.

    Args:
        nights: The nights that waited, oldest first.
        nothing_new: Nothing waited and nothing was published.
        load: The loader's report.
        ledger: The id ledger's report.
        publication: The publisher's report.
        seconds: Duration of each step, by its name.
    """

    nights: list[date] = field(default_factory=list)
    nothing_new: bool = False
    load: LoadReport | None = None
    ledger: LedgerReport | None = None
    publication: PublishReport | None = None
    seconds: dict[str, float] = field(default_factory=dict)


def nothing_waits(settings: Settings, until: date | None = None) -> bool:
    """Whether a run would find nothing to do: no delivery, decision or change of configuration."""
    build = state.last_build(settings)
    return (
        build is not None
        and build.is_released
        and build.load_number == state.newest_load(settings)
        and settings.current.exists()
        and build.configuration == state.configuration_hash(settings)
        and state.decisions_are_built(settings)
        and not state.waiting_nights(settings, until)
    )


def run_nights(
    settings: Settings,
    until: date | None = None,
    full_refresh: bool = False,
    progress: Progress | None = None,
    run_id: str | None = None,
    *,
    refold_identity: bool = False,
) -> RunReport:
    """Run all the nights that wait, up to `until`, and publish one release.

    Args:
        settings: Home and project.
        until: Last night to take, inclusive; None means the last night with a delivery.
        full_refresh: Delete everything derived first and rebuild it from the landing.
        progress: Told one line as each step begins and for each dbt model.
        run_id: Name of this run in the release's manifest; made up where None.
        refold_identity: Make a lost id ledger anew from the landings, though a release holds it.

    Returns:
        What was done; `nothing_new` where there was nothing to do.

    Raises:
        JourneylineError: A step failed (exit 1), the state or configuration is not usable
            (exit 2), or the gate refused (exit 3). The last release stays in place.
    """
    tell = progress or _silent
    report = RunReport()
    with writing(settings, on_wait=tell):
        if refold_identity:
            allow_refold(settings)
        steps.prepare(settings)
        state.require_landing(settings)
        if full_refresh:
            stood_at = state.last_night(settings)
            until = max(until, stood_at) if until and stood_at else until
            steps.delete_derived(settings)
        if nothing_waits(settings, until):
            report.nothing_new = True
            return report
        report.nights = state.waiting_nights(settings, until)
        clock = _Clock(report, tell)
        report.load = clock("ingest", lambda: steps.load(settings, until))
        clock("configure", lambda: steps.write_configuration(settings))
        clock("stage and match", lambda: steps.build_records(settings, progress=progress))
        report.ledger = clock("identify", lambda: steps.resolve_ids(settings))
        clock(
            "unify, journey, measure, decide",
            lambda: steps.build_customers(settings, progress=progress),
        )
        name = run_id or uuid.uuid4().hex
        report.publication = clock(
            "gate and publish", lambda: steps.publish_release(settings, name)
        )
    return report


class _Clock:
    """Times each step and announces it."""

    def __init__(self, report: RunReport, tell: Progress) -> None:
        self._report = report
        self._tell = tell

    def __call__(self, step: str, work: Callable[[], T]) -> T:
        self._tell(f"{step} …")
        started = time.monotonic()
        result = work()
        self._report.seconds[step] = time.monotonic() - started
        return result


def _silent(line: str) -> None:
    """Tell nobody."""
