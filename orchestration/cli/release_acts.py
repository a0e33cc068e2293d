"""Acts on releases: each by a name and a reason, each a line of the journal."""

from __future__ import annotations

import getpass
import uuid
from collections.abc import Callable
from typing import Any

import click

from orchestration.cli.common import as_mapping, echo_json, echo_table, settings_of
from orchestration.errors import EXIT_FAILED

_Command = Callable[..., Any]


def _acting(function: _Command) -> _Command:
    """The options that every act shares."""
    function = click.option("--json", "as_json", is_flag=True, help="Report as JSON.")(function)
    return click.option(
        "--by", default=getpass.getuser, show_default="the user", help="Who does it."
    )(function)


_reason = click.option("--reason", required=True, help="Why; it stands in the journal.")


@click.command("rollback")
@click.argument("release_id", required=False)
@_reason
@click.option("--hold", is_flag=True,
              help="Publish nothing newer until `releases publish` does.")  # fmt: skip
@_acting
@click.pass_context
def roll_back(
    context: click.Context,
    release_id: str | None,
    reason: str,
    hold: bool,
    by: str,
    as_json: bool,
) -> None:
    """Make a kept release current again: the one before, unless one is named."""
    from orchestration.followers.following import follow_all
    from orchestration.pipeline.locking import writing
    from orchestration.publish.releases import rollback

    settings = settings_of(context)
    with writing(settings):
        report = rollback(settings, release_id, by=by, reason=reason, hold=hold)
        follow_all(settings)
    if as_json:
        echo_json(report)
    else:
        click.echo(f"current is now {report.release_id}; next: journeyline status")


@click.command("publish")
@click.option("--despite", multiple=True, metavar="CHECK",
              help="A failing check that must not stop it; may be repeated.")  # fmt: skip
@_reason
@_acting
@click.pass_context
def publish(
    context: click.Context, despite: tuple[str, ...], reason: str, by: str, as_json: bool
) -> None:
    """Audit and publish what the warehouse holds, by a person's name and reason.

    It ends a rollback with --hold. With --despite it goes out although that check fails.
    """
    from orchestration.gate.operator import Operator
    from orchestration.pipeline import steps

    operator = Operator(by, reason, despite)
    report = steps.publish_release(settings_of(context), uuid.uuid4().hex, operator)
    if as_json:
        echo_json({name: v for name, v in as_mapping(report).items() if name != "checks"})
    elif report.published:
        click.echo(f"current is now {report.release_id}; next: journeyline status")
    else:
        click.echo(f"nothing was published: {report.reason}")


@click.command("pin")
@click.argument("release_id", required=False)
@_reason
@_acting
@click.pass_context
def pin(
    context: click.Context, release_id: str | None, reason: str, by: str, as_json: bool
) -> None:
    """Keep a release whatever its age; `current` unless one is named."""
    from orchestration.pipeline.locking import writing
    from orchestration.publish import retention

    settings = settings_of(context)
    with writing(settings):
        report = retention.pin(settings, release_id, by=by, reason=reason)
    if as_json:
        echo_json(report)
    else:
        click.echo(f"{report.release_id} is pinned{'' if report.changed else ' already'}")


@click.command("unpin")
@click.argument("release_id")
@_reason
@_acting
@click.pass_context
def unpin(context: click.Context, release_id: str, reason: str, by: str, as_json: bool) -> None:
    """Let retention remove a release again."""
    from orchestration.pipeline.locking import writing
    from orchestration.publish import retention

    settings = settings_of(context)
    with writing(settings):
        report = retention.unpin(settings, release_id, by=by, reason=reason)
    if as_json:
        echo_json(report)
    else:
        click.echo(f"{report.release_id} is not pinned{'' if report.changed else ' anyway'}")


@click.command("relocate")
@_reason
@_acting
@click.pass_context
def relocate(context: click.Context, reason: str, by: str, as_json: bool) -> None:
    """Mend the paths of releases whose home was moved; each gets a twin with another id."""
    from orchestration.pipeline.locking import writing
    from orchestration.publish.replacing import relocate_releases

    settings = settings_of(context)
    with writing(settings):
        report = relocate_releases(settings, by=by, reason=reason)
    if as_json:
        echo_json(report)
    else:
        click.echo(f"{len(report.replaced)} mended; current is {report.current}")


@click.command("follow")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@click.pass_context
def follow(context: click.Context, as_json: bool) -> int:
    """Have every follower serve the current release; exit 1 where one is behind."""
    from orchestration.followers.following import follow_all
    from orchestration.pipeline.locking import writing

    settings = settings_of(context)
    with writing(settings):
        found = follow_all(settings)
    if as_json:
        echo_json(found)
    else:
        for follower in found:
            standing = f"behind: {follower.error}" if follower.is_behind else "keeps up"
            click.echo(f"{follower.name} ({follower.kind}) {follower.release_id} {standing}")
    return EXIT_FAILED if any(follower.is_behind for follower in found) else 0


@click.command("gc")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@click.pass_context
def collect(context: click.Context, dry_run: bool, as_json: bool) -> None:
    """Remove the releases that are past a bound of releases.yml; never a pinned one."""
    from orchestration.pipeline.locking import writing
    from orchestration.publish import retention

    settings = settings_of(context)
    with writing(settings):
        report = retention.collect(settings, dry_run=dry_run)
    if as_json:
        echo_json(report)
        return
    if report.removed:
        title = "releases that would go" if dry_run else "releases removed"
        echo_table(title, ("release", "why"), list(report.removed.items()))
    click.echo(f"{report.kept} kept, {report.freed_bytes / 1e6:.1f} MB freed")
