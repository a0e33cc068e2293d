"""`journeyline quarantine`: rows that broke their contract, and what is done about them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestration.cli.common import echo_json, echo_table, settings_of

if TYPE_CHECKING:
    from orchestration.ingest.quarantine import Acted
    from orchestration.settings import Settings


def _about_rows(act: Callable[..., None]) -> Callable[..., None]:
    """What every act on rows is told: which rows, why, and how to report."""
    for given in (
        click.pass_context,
        click.option("--json", "as_json", is_flag=True, help="Report as JSON."),
        click.option("--reason", help="Kept with the act."),
        click.option("--rule", help="Only rows that broke this rule."),
        click.argument("what"),
    ):
        act = given(act)
    return act


@click.group("quarantine")
def command() -> None:
    """List or show rows that broke their contract, replay, discard or correct them."""


@command.command("list")
@click.option("--source", help="Only this source.")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@click.pass_context
def list_groups(context: click.Context, source: str | None, as_json: bool) -> None:
    """Count quarantined rows by source, entity and rule."""
    from orchestration.ingest.quarantine import list_quarantine

    groups = list_quarantine(settings_of(context), source)
    if as_json:
        echo_json(groups)
        return
    if not groups:
        click.echo("quarantine is empty")
        return
    echo_table(
        "quarantine",
        ("source", "entity", "rule", "rows", "waiting", "replays", "discarded", "deliveries",
         "first seen", "last seen"),
        [
            (
                group.source,
                group.entity,
                group.rule,
                group.row_count,
                group.waiting_count,
                group.replay_count,
                group.discarded_count,
                group.delivery_count,
                group.first_seen_at,
                group.last_seen_at,
            )
            for group in groups
        ],
    )  # fmt: skip
    click.echo("next: journeyline quarantine show SOURCE[/ENTITY]")


@command.command("show")
@click.argument("what")
@click.option("--rule", help="Only rows that broke this rule.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@click.pass_context
def show_rows(
    context: click.Context, what: str, rule: str | None, limit: int, as_json: bool
) -> None:
    """Show rows of WHAT: a quarantine id, a delivery, a source, or source/entity."""
    from orchestration.ingest.quarantine import show_quarantine

    rows = show_quarantine(settings_of(context), what, limit, rule)
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        click.echo(f"{row.quarantine_id}  {row.source}/{row.entity} {row.delivery_id}")
        click.echo(f"  row {row.row_number}: {row.rule}, {row.column_name} = {row.value}")
        click.echo(f"  {row.standing}; seen from {row.first_seen_at} to {row.last_seen_at}")
        click.echo(f"  {row.payload}")


@command.command("replay")
@_about_rows
def replay(
    context: click.Context, what: str, rule: str | None, reason: str | None, as_json: bool
) -> None:
    """Have the next run judge rows of WHAT again, past bounds and drift that held them.

    A replayed row keeps the time of its event and arrives at the replay's instant.
    """
    _act(context, "replay", what, rule, reason, as_json)


@command.command("discard")
@_about_rows
def discard(
    context: click.Context, what: str, rule: str | None, reason: str | None, as_json: bool
) -> None:
    """Decide that rows of WHAT are never taken; they stay in quarantine as discarded."""
    _act(context, "discard", what, rule, reason, as_json)


@command.command("correct")
@_about_rows
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--by", required=True, help="Who corrects; kept with the act.")
def correct(
    context: click.Context,
    what: str,
    file: Path,
    by: str,
    rule: str | None,
    reason: str | None,
    as_json: bool,
) -> None:
    """Deliver rows of WHAT anew as FILE has them, and discard the broken ones.

    FILE is in the format of the table's contract and holds as many rows; it is proved before
    anything is kept.
    """
    from orchestration.ingest.corrections import correct_quarantine
    from orchestration.pipeline.locking import writing

    if not reason:
        raise click.UsageError("Say --reason: a correction is kept with its reason.")
    settings = settings_of(context)
    with writing(settings):
        done = correct_quarantine(settings, what, file, _now(settings), by, reason, rule)
    _report(done, as_json)


def _act(
    context: click.Context,
    act: str,
    what: str,
    rule: str | None,
    reason: str | None,
    as_json: bool,
) -> None:
    from orchestration.ingest.quarantine import act_on_quarantine
    from orchestration.pipeline.locking import writing

    settings = settings_of(context)
    with writing(settings):
        done = act_on_quarantine(settings, act, what, _now(settings), rule, reason)
    _report(done, as_json)


def _now(settings: Settings) -> datetime | None:
    """The clock's time; the nights of a demo company are not the clock's."""
    from orchestration.demo.company import is_demo_home

    return None if is_demo_home(settings) else datetime.now(UTC).replace(tzinfo=None)


def _report(done: Acted, as_json: bool) -> None:
    if as_json:
        echo_json(done)
        return
    for table, count in done.tables.items():
        click.echo(f"{done.act}: {count:,} rows of {table}, from {done.at} UTC on")
    is_over = done.act == "discard"
    click.echo("next: journeyline quarantine list" if is_over else "next: journeyline run")
