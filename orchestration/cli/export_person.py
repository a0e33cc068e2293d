"""`journeyline export-person`: all that is held about one person."""

from __future__ import annotations

import click

from orchestration.cli.common import echo_json, settings_of


@click.command("export-person")
@click.argument("identifier")
@click.option("--json", "as_json", is_flag=True, help="As JSON, which it is in any case.")
@click.pass_context
def command(context: click.Context, identifier: str, as_json: bool) -> None:
    """Print all that is held about the person whom IDENTIFIER means, as JSON.

    It holds rows as they were delivered: send it to a file that only you can read.
    """
    from orchestration.privacy.exporting import export_person

    echo_json(export_person(settings_of(context), identifier))
