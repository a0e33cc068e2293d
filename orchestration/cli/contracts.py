"""`journeyline contracts`: the contracts of source tables and what is derived from them."""

from __future__ import annotations

import click

from orchestration.cli.common import echo_json, settings_of
from orchestration.errors import EXIT_FAILED


@click.group("contracts")
def command() -> None:
    """Rewrite what is derived from contracts, or compare two of them."""


@command.command("sync")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 where something has drifted.")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@click.pass_context
def sync(context: click.Context, check: bool, as_json: bool) -> int:
    """Rewrite dbt's source and staging YAML and the feeds from the source contracts."""
    from orchestration.ingest.derived import drifted_files, sync_files

    settings = settings_of(context)
    paths = drifted_files(settings) if check else sync_files(settings)
    names = [str(path.relative_to(settings.repo_root)) for path in paths]
    if as_json:
        echo_json({"drifted" if check else "written": names})
    elif not names:
        click.echo("nothing has drifted from the contracts")
    else:
        for name in names:
            click.echo(f"{'drifted' if check else 'written'}: {name}")
    return EXIT_FAILED if check and names else 0
