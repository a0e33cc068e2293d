"""`journeyline contracts`: the contracts of source tables and what is derived from them."""

from __future__ import annotations

from pathlib import Path

import click

from orchestration.cli.common import echo_json, echo_table, settings_of
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


@command.command("diff")
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
def diff(old: Path, new: Path, as_json: bool) -> int:
    """Say per column what changed from contract OLD to NEW, whether it breaks, and why.

    Exit code 1 where something breaks, 0 where nothing does.
    """
    from orchestration.ingest.contract_diff import diff_contracts

    found = diff_contracts(old, new)
    if as_json:
        echo_json(
            {
                "is_breaking": found.is_breaking,
                "needs_major": found.needs_major,
                "old_version": found.old_version,
                "new_version": found.new_version,
                "changes": found.changes,
            }
        )
    elif not found.changes:
        click.echo("nothing changed")
    else:
        echo_table(
            f"{found.old_version} to {found.new_version}",
            ("table", "column", "change", "breaks", "why"),
            [(c.table, c.column, c.change, "yes" if c.is_breaking else "no", c.why)
             for c in found.changes],
        )  # fmt: skip
        if found.needs_major:
            click.echo("next: a breaking change is a new major version; raise `version`")
    return EXIT_FAILED if found.is_breaking else 0
