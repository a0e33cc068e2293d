"""`journeyline run`: the nightly job over all the nights that wait."""

from __future__ import annotations

import logging
import os
import time
import warnings
from datetime import date
from typing import Any

import click

from orchestration.cli.common import Day, echo_json, progress, settings_of
from orchestration.errors import EXIT_FAILED
from orchestration.settings import Settings


@click.command("run")
@click.option("--until", type=Day(), help="Last night to take, inclusive (YYYY-MM-DD).")
@click.option("--full-refresh", is_flag=True,
              help="Delete everything derived and rebuild it from the landing.")  # fmt: skip
@click.option("--refold-identity", is_flag=True,
              help="Make a lost id ledger anew from the landings; ids may change.")  # fmt: skip
@click.option("--strict", is_flag=True,
              help="Exit 1 where a delivery was refused or held.")  # fmt: skip
@click.option("--no-wait", is_flag=True, help="Fail at once where another run is writing.")
@click.option("--json", "as_json", is_flag=True, help="Summary as JSON.")
@click.pass_context
def command(
    context: click.Context,
    until: date | None,
    full_refresh: bool,
    refold_identity: bool,
    strict: bool,
    no_wait: bool,
    as_json: bool,
) -> int:
    """Run the nights that wait through Dagster and publish one release.

    With nothing new it publishes nothing and takes seconds.
    """
    from orchestration.cli.summary import summarize
    from orchestration.cli.summary_view import show_summary

    settings = settings_of(context)
    started = time.monotonic()
    outcome = _run(settings, until, full_refresh, refold_identity, no_wait)
    if outcome is None:
        summary = {"nothing_new": True, **summarize(settings)}
    else:
        summary = {"nothing_new": False, **outcome, **summarize(settings)}
    summary["seconds"] = round(time.monotonic() - started, 1)
    if as_json:
        echo_json(summary)
    else:
        show_summary(summary)
    troubled = bool(summary.get("refused") or summary.get("held"))
    return EXIT_FAILED if strict and troubled else 0


def _run(
    settings: Settings,
    until: date | None,
    full_refresh: bool,
    refold_identity: bool,
    no_wait: bool,
) -> dict[str, Any] | None:
    from orchestration.pipeline import state, steps
    from orchestration.pipeline.locking import writing
    from orchestration.pipeline.night import nothing_waits
    from orchestration.pipeline.progress import listening
    from orchestration.publish.identity_guard import allow_refold

    with (
        progress("running the nights that wait") as told,
        writing(settings, wait=not no_wait, on_wait=told),
    ):
        if refold_identity:
            allow_refold(settings)
        steps.prepare(settings)
        state.require_landing(settings)
        stands_at = state.last_night(settings)
        if full_refresh:
            until = max(until, stands_at) if until and stands_at else until
            steps.delete_derived(settings)
        elif nothing_waits(settings, until):
            return None
        nights = state.waiting_nights(settings, until)
        last = nights[-1] if nights else until or stands_at or state.newest_night(settings)
        told(f"{len(nights)} night(s) wait; starting Dagster …")
        before = settings.current.resolve() if settings.current.exists() else None
        with listening(told):
            run_id = _dagster(settings, nights[0] if nights else last, max(last, stands_at or last))
        return {
            "nights": nights,
            "run_id": run_id,
            "published": settings.current.resolve() != before,
        }


def _dagster(settings: Settings, first: date, last: date) -> str:
    """Run the job with the libraries' own chatter kept off the screen."""
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    os.environ["JOURNEYLINE_HOME"] = str(settings.home)
    warnings.filterwarnings("ignore")
    from orchestration.defs.launch import run_nightly_job

    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    return run_nightly_job(settings, first, last)
