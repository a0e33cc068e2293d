"""`journeyline sources fetch` and `check`: what comes from REST, databases and object storage."""

from __future__ import annotations

import click

from orchestration.cli.common import echo_json, echo_table, progress, settings_of
from orchestration.cli.sources import command as sources
from orchestration.errors import EXIT_FAILED, EXIT_USAGE


@sources.command("fetch")
@click.argument("tables", nargs=-1, metavar="[SOURCE[/ENTITY]]…")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@click.pass_context
def fetch(context: click.Context, tables: tuple[str, ...], as_json: bool) -> int:
    """Fetch what is new in TABLES, or in every source with a connector, and land it.

    A table that fails does not keep the others from being fetched; the next fetch goes on where it
    stopped. Exit 1 where one failed.
    """
    from orchestration.connectors.run import fetch_tables

    with progress("fetching") as told:
        report = fetch_tables(settings_of(context), tables, told)
    if as_json:
        echo_json(report)
    else:
        echo_table(
            "fetched",
            ("table", "records", "pages", "landed", "error"),
            [
                (
                    one.table,
                    f"{one.records:,}",
                    one.pages,
                    ", ".join(one.deliveries) if one.is_new else "nothing new",
                    one.error,
                )
                for one in report
            ],
        )
        if any(one.is_new for one in report):
            click.echo("next: journeyline run")
    return EXIT_FAILED if any(one.error for one in report) else 0


@sources.command("check")
@click.argument("tables", nargs=-1, metavar="[SOURCE[/ENTITY]]…")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@click.pass_context
def check(context: click.Context, tables: tuple[str, ...], as_json: bool) -> int:
    """Prove that TABLES, or all with a connector, are configured and can be reached; load nothing.

    Exit 2 where the configuration is wrong, 1 where a source cannot be reached.
    """
    from orchestration.connectors.run import check_tables

    with progress("checking") as told:
        report = check_tables(settings_of(context), tables, told)
    if as_json:
        echo_json(report)
    else:
        echo_table(
            "connectors",
            ("table", "state", "says", "next"),
            [(one.table, one.state, one.says, one.next_step) for one in report],
        )
    if any(one.state == "wrong" for one in report):
        return EXIT_USAGE
    return EXIT_FAILED if any(one.state == "unreachable" for one in report) else 0


command = sources
