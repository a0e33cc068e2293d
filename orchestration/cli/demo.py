"""`journeyline demo`: the demo company."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from orchestration.cli.common import Day, echo_json, progress, settings_of


@click.command("demo")
@click.option("--customers", type=click.IntRange(200), default=5000, show_default=True,
              help="People who arrive during the 18 months of history.")  # fmt: skip
@click.option("--nights", type=click.IntRange(1), default=30, show_default=True,
              help="Nights after the one that delivers the history.")  # fmt: skip
@click.option("--seed", type=int, default=7, show_default=True, help="Equal seed, equal bytes.")
@click.option(
    "--start", type=Day(), help="First day of the history (YYYY-MM-DD), 2024-01-01 unless given."
)
@click.option("--mess", "mess_file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Rates of the mess, as YAML.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@click.pass_context
def command(
    context: click.Context,
    customers: int,
    nights: int,
    seed: int,
    start: date | None,
    mess_file: Path | None,
    as_json: bool,
) -> None:
    """Generate the demo company; on an existing one, add the nights it lacks."""
    from orchestration.demo.company import build_company
    from orchestration.pipeline.locking import writing
    from orchestration.pipeline.steps import prepare

    settings = settings_of(context)
    with progress("generating the demo company") as told, writing(settings, on_wait=told):
        prepare(settings)
        report = build_company(
            settings,
            customers=customers,
            nights=nights,
            seed=seed,
            start=start,
            mess_file=mess_file,
            progress=told,
        )
    if as_json:
        echo_json(report)
        return
    if not report.nights_added:
        click.echo(f"the demo company is there already, up to the night of {report.last_night}")
    else:
        click.echo(
            f"a company of {report.customers:,} customers (seed {report.seed}): "
            f"{report.nights_added} nights, {report.first_night} to {report.last_night}, "
            f"landed as {report.deliveries_added:,} deliveries"
        )
        known = report.truth_rows
        click.echo(
            f"its truth: {known['persons']:,} persons, {known['records']:,} records, "
            f"{known['events']:,} events, {known['stage_visits']:,} stage visits"
        )
    click.echo("next: journeyline run")
