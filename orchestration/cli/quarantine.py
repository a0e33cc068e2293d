"""`journeyline quarantine`: rows that broke their contract."""

from __future__ import annotations

import click

from orchestration.cli.common import echo_json, echo_table, settings_of


@click.group("quarantine")
def command() -> None:
    """List or show rows that broke their contract."""


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
        ("source", "entity", "rule", "rows", "deliveries", "first seen", "last seen"),
        [
            (
                group.source,
                group.entity,
                group.rule,
                group.row_count,
                group.delivery_count,
                group.first_seen_at,
                group.last_seen_at,
            )
            for group in groups
        ],
    )
    click.echo("next: journeyline quarantine show SOURCE[/ENTITY]")


@command.command("show")
@click.argument("what")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@click.pass_context
def show_rows(context: click.Context, what: str, limit: int, as_json: bool) -> None:
    """Show rows of WHAT: a quarantine id, a source, or source/entity."""
    from orchestration.ingest.quarantine import show_quarantine

    rows = show_quarantine(settings_of(context), what, limit)
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        click.echo(f"{row.quarantine_id}  {row.source}/{row.entity} {row.delivery_id}")
        click.echo(f"  row {row.row_number}: {row.rule}, {row.column_name} = {row.value}")
        click.echo(f"  {row.payload}")
