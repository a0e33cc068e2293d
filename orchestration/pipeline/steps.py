"""The steps of a night, one function each, in the order of `night.py`.

Every step takes the writer lock, opens its own connections and closes them, and can be repeated:
Dagster wraps the same functions as assets.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING

from orchestration.format import check_format
from orchestration.keys import ledger_key, pseudonym_key
from orchestration.pipeline import state
from orchestration.pipeline.dbt_runner import NodeResult, Progress, run_dbt
from orchestration.pipeline.locking import writing
from orchestration.settings import Settings

if TYPE_CHECKING:
    from orchestration.gate.operator import Operator
    from orchestration.ingest.loader import LoadReport
    from orchestration.publish.publisher import PublishReport
    from orchestration.unify.ledger import LedgerReport

PHASE_RECORDS = ("--select", "tag:phase_records")
PHASE_CUSTOMERS = ("--exclude", "tag:phase_records")
_NIGHTLY = (
    "build",
    *("--exclude-resource-type", "unit_test"),
    *("--indirect-selection", "buildable"),
)


def prepare(settings: Settings) -> None:
    """Check the format of the state, the keys and the id ledger before anything is written.

    Raises:
        JourneylineError: State of newer code, a key that went missing, or an id ledger that
            lost what a kept release holds of it (exit 2).
    """
    from orchestration.privacy.erasing import finish_erasures
    from orchestration.publish.identity_guard import require_ledger

    check_format(settings)
    pseudonym_key(settings)
    ledger_key(settings)
    require_ledger(settings)
    with writing(settings):
        finish_erasures(settings)


def delete_derived(settings: Settings) -> None:
    """Delete the warehouse and dbt's folder; the landing and the ledger rebuild them."""
    with writing(settings):
        for path in settings.home.glob("warehouse.duckdb*"):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        shutil.rmtree(settings.dbt_target, ignore_errors=True)


def load(settings: Settings, until: date | None, *, between_nights: bool = False) -> LoadReport:
    """Load what was delivered up to a night; a past night takes what is missing there.

    As-of never goes back, so `until` is at least the night the warehouse stands at.

    Args:
        settings: Home and project.
        until: Last night to take, inclusive; None means the last night with a delivery.
        between_nights: The last night is not over: as-of is the newest `received_at` taken.

    Raises:
        JourneylineError: A source was switched on or off and dbt does not know it (exit 2).
    """
    from orchestration.ingest.derived import require_feeds
    from orchestration.ingest.loader import coming_as_of, load_deliveries
    from orchestration.pipeline.progress import tell
    from orchestration.privacy.ageing import age_landing, screen_aged
    from orchestration.privacy.erasing import screen_landing

    require_feeds(settings)
    with writing(settings):
        screen_landing(settings)
        screen_aged(settings, state.known_deliveries(settings))
        stood_at = state.last_night(settings)
        night = max(until, stood_at) if until and stood_at else until
        if not between_nights:
            as_of = coming_as_of(settings, night, state.current_as_of(settings))
            aged = age_landing(settings, as_of)
            if aged:
                tell(f"retention: {aged:,} rows went by age, everything is built anew")
        build = state.last_build(settings)
        if build is not None and not state.keeps_loaded(settings, build.sources):
            delete_derived(settings)
        elif state.waiting_nights(settings, until):
            state.record_change(settings)
        return load_deliveries(settings, night, between_nights=between_nights)


def write_configuration(settings: Settings) -> None:
    """Write KPIs, journeys, audiences, identity rules and rates as tables of schema `config`."""
    from orchestration.decide.config_tables import write_audience_tables
    from orchestration.measure.config_tables import write_config_tables
    from orchestration.unify.config_tables import write_identity_tables

    with writing(settings):
        write_identity_tables(settings)
        write_config_tables(settings)
        write_audience_tables(settings)


def build_records(
    settings: Settings,
    *,
    only: list[str] | None = None,
    progress: Progress | None = None,
    on_result: Callable[[NodeResult], None] | None = None,
) -> list[NodeResult]:
    """dbt's first phase: staging, records, match edges, clusters.

    Args:
        settings: Home and project.
        only: Names of the models to build; None means the whole phase.
        progress: Told one line for each finished model.
        on_result: Given every result as dbt reports it.
    """
    with writing(settings):
        results = _build(settings, PHASE_RECORDS, only, progress, on_result)
        if only is None:
            state.record_phase(settings, state.MATCHED, state.newest_load(settings))
        return results


def resolve_ids(settings: Settings) -> LedgerReport:
    """Fold the clusters into the id ledger."""
    from orchestration.publish.identity_guard import end_refold
    from orchestration.unify.ledger import update_ledger

    with writing(settings):
        report = update_ledger(settings)
        end_refold(settings)
        matched = state.phase_load(settings, state.MATCHED)
        state.record_phase(settings, state.RESOLVED, matched)
        return report


def build_customers(
    settings: Settings,
    *,
    only: list[str] | None = None,
    progress: Progress | None = None,
    on_result: Callable[[NodeResult], None] | None = None,
) -> list[NodeResult]:
    """dbt's second phase: customers, journeys, KPIs, audiences; arguments as `build_records`."""
    with writing(settings):
        results = _build(settings, PHASE_CUSTOMERS, only, progress, on_result)
        if only is None:
            state.record_build(settings)
        return results


def publish_release(
    settings: Settings, run_id: str, operator: Operator | None = None
) -> PublishReport:
    """Stage, audit and publish the release, record that the build is out, remove old releases.

    Args:
        settings: Home and project.
        run_id: The run that asks.
        operator: The person who publishes by hand, if one does.

    Raises:
        JourneylineError: The gate refused (exit 3), or the marts are behind what was loaded;
            the last release stays in place.
    """
    from orchestration.followers.following import follow_all
    from orchestration.publish.policy import load_policy
    from orchestration.publish.publisher import publish
    from orchestration.publish.retention import collect

    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    with writing(settings):
        state.require_built(settings)
        policy = load_policy(settings)
        report = publish(settings, run_id, operator=operator)
        state.record_release(settings)
        if policy.is_automatic and report.published:
            collect(settings)
        follow_all(settings)
        return report


def _build(
    settings: Settings,
    phase: tuple[str, ...],
    only: list[str] | None,
    progress: Progress | None,
    on_result: Callable[[NodeResult], None] | None,
) -> list[NodeResult]:
    with writing(settings):
        selection = ("--select", *only) if only else phase
        build = state.last_build(settings)
        stale = build is not None and build.configuration != state.configuration_hash(settings)
        refresh = ("--full-refresh",) if stale else ()
        return run_dbt(
            settings, [*_NIGHTLY, *selection, *refresh], progress=progress, on_result=on_result
        )
