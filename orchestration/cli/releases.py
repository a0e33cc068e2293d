"""`journeyline releases`: what was published, and the way back."""

from __future__ import annotations

from typing import Any

import click

from orchestration.cli import release_acts as acts
from orchestration.cli.common import as_mapping, echo_json, echo_table, settings_of


@click.group("releases")
def command() -> None:
    """List, compare, verify, publish, roll back, keep or remove releases."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@click.pass_context
def list_all(context: click.Context, as_json: bool) -> None:
    """List the kept releases, newest first."""
    from orchestration.publish.releases import list_releases

    releases = [as_mapping(release) for release in list_releases(settings_of(context))]
    if as_json:
        echo_json(releases)
    elif not releases:
        click.echo("no release yet; next: journeyline run")
    else:
        columns = [name for name in releases[0] if not isinstance(releases[0][name], dict | list)]
        echo_table("releases", columns, [[row[name] for name in columns] for row in releases])


@command.command("show")
@click.argument("release_id", required=False)
@click.option("--json", "as_json", is_flag=True, help="The manifest as JSON.")
@click.pass_context
def show(context: click.Context, release_id: str | None, as_json: bool) -> None:
    """Show a release; `current` unless one is named."""
    from orchestration.publish.releases import show_release

    release = as_mapping(show_release(settings_of(context), release_id))
    if as_json:
        echo_json(release)
        return
    for name, value in release.items():
        if not isinstance(value, dict | list | tuple):
            click.echo(f"{name.replace('_', ' ')}: {value}")
    tables = release.get("tables")
    if tables:
        echo_table("tables", ("table", "rows"), _table_rows(tables))


@command.command("verify")
@click.argument("release_id", required=False)
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@click.pass_context
def verify(context: click.Context, release_id: str | None, as_json: bool) -> None:
    """Prove that every file of a release is the one that was audited."""
    from orchestration.publish.releases import verify_release

    report = as_mapping(verify_release(settings_of(context), release_id))
    if as_json:
        echo_json(report)
    else:
        click.echo("every file is the audited one: " + _told(report))


@command.command("diff")
@click.argument("before", required=False)
@click.argument("after", required=False)
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@click.pass_context
def diff(context: click.Context, before: str | None, after: str | None, as_json: bool) -> None:
    """Say per table what changed between two releases, and why.

    AFTER is `current` and BEFORE the release before it, unless they are named.
    """
    from orchestration.publish.comparing import compare_releases

    report = as_mapping(compare_releases(settings_of(context), before, after))
    if as_json:
        echo_json(report)
        return
    click.echo(f"{report['before']} -> {report['after']}")
    for name in ("deliveries", "identity"):
        if report[name]:
            told = ", ".join(f"{count} {kind}" for kind, count in report[name].items())
            click.echo(f"{name}: {told}")
    for line in report["notes"]:
        click.echo(line)
    columns = ("table", "rows_before", "rows_after", "added", "removed", "changed")
    rows = [[*(t[c] for c in columns), "; ".join(t["why"])] for t in report["tables"]]
    if rows:
        echo_table("tables that differ", [*(c.replace("_", " ") for c in columns), "why"], rows)
    else:
        click.echo("every table is the same")


command.add_command(acts.roll_back)
command.add_command(acts.publish)
command.add_command(acts.pin)
command.add_command(acts.unpin)
command.add_command(acts.collect)
command.add_command(acts.relocate)
command.add_command(acts.follow)


def _table_rows(tables: Any) -> list[tuple[Any, Any]]:
    if isinstance(tables, dict):
        return [(name, as_mapping(table).get("rows")) for name, table in tables.items()]
    listed = [as_mapping(table) for table in tables]
    return [(table.get("table", table.get("name")), table.get("rows")) for table in listed]


def _told(report: Any) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {value}"
        for name, value in report.items()
        if not isinstance(value, dict | list | tuple)
    )
