"""`journeyline sources`: what is delivered, and landing a file by hand."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from orchestration.cli.common import echo_json, echo_table, settings_of
from orchestration.errors import EXIT_USAGE, JourneylineError


class Instant(click.ParamType[datetime]):
    """An instant in ISO 8601; without an offset it is UTC."""

    name = "instant"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """The instant in UTC, or a usage error that says how to write one."""
        try:
            given = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no instant; write it like 2025-03-04T02:00:00Z.", param, ctx)
        return given.astimezone(UTC) if given.tzinfo else given.replace(tzinfo=UTC)


@click.group("sources")
def command() -> None:
    """List sources, land files."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@click.pass_context
def list_tables(context: click.Context, as_json: bool) -> None:
    """Show each source table: deliveries, what waits, what is in quarantine."""
    from orchestration.ingest.overview import list_sources

    tables = list_sources(settings_of(context))
    if as_json:
        echo_json(tables)
        return
    echo_table(
        "sources",
        ("table", "vendor", "format", "deliveries", "waiting", "last received", "last status",
         "quarantined"),
        [
            (
                f"{table.source}/{table.entity}" + ("" if table.is_enabled else " (disabled)"),
                table.vendor,
                table.format,
                table.delivery_count,
                table.waiting_count,
                table.last_received_at,
                table.last_status,
                table.quarantined_count,
            )
            for table in tables
        ],
    )  # fmt: skip


@command.command("drift")
@click.option("--source", help="Only this source.")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@click.pass_context
def drift(context: click.Context, source: str | None, as_json: bool) -> None:
    """Show how deliveries came to differ from their contracts, and what is proposed."""
    from orchestration.ingest.overview import list_drift

    records = list_drift(settings_of(context), source)
    if as_json:
        echo_json(records)
        return
    if not records:
        click.echo("nothing has drifted")
        return
    echo_table(
        "drift",
        ("table", "column", "change", "detail", "first in", "received"),
        [
            (
                f"{r.source}/{r.entity}",
                r.column_name,
                r.change,
                r.detail,
                r.delivery_id,
                r.received_at,
            )
            for r in records
        ],
    )


@command.command("retention")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@click.pass_context
def retention(context: click.Context, as_json: bool) -> None:
    """Show how long rows of each source table are kept, what went, and what is too old now.

    Retention is set in orchestration/config/privacy.yml; `--json` says too by which columns a row
    is as old as it is.
    """
    from orchestration.privacy.retention_report import report_retention

    tables = report_retention(settings_of(context))
    if as_json:
        echo_json(tables)
        return
    if not tables:
        click.echo("every row is kept; orchestration/config/privacy.yml can say for how long")
        return
    echo_table(
        "retention",
        ("table", "days", "too old now", "they go at", "went so far", "from before"),
        [
            (
                f"{t.source}/{t.entity}",
                t.days,
                t.old_rows,
                t.due,
                t.erased_rows,
                t.last_horizon.date() if t.last_horizon else None,
            )
            for t in tables
        ],
    )  # fmt: skip


@command.command("scaffold")
@click.argument("what", metavar="FILE_OR_TABLE")
@click.option("--as", "table", metavar="SOURCE/ENTITY", help="The table it is to become.")
@click.option("--output", type=click.Path(path_type=Path),
              help="Where to write it; `-` shows it.")  # fmt: skip
@click.pass_context
def scaffold(context: click.Context, what: str, table: str | None, output: Path | None) -> None:
    """Write a first contract guessed from a sample of FILE_OR_TABLE; each guess is marked.

    FILE_OR_TABLE is a file, SOURCE/ENTITY of something that has landed, or URL#TABLE of a database
    (sqlite:///shop.db#orders).
    """
    from orchestration.ingest.sampling import take_sample
    from orchestration.ingest.scaffold import scaffold_contract

    settings = settings_of(context)
    label = table or ("" if Path(what).exists() or "://" in what else what)
    source, _, entity = label.partition("/")
    if not all(re.fullmatch(r"[a-z][a-z0-9_]*", part) for part in (source, entity)):
        raise JourneylineError(
            "The contract needs a name.",
            where=label or what,
            next_step="Add `--as SOURCE/ENTITY`, in lower case, such as `--as shop/clicks`.",
            exit_code=EXIT_USAGE,
        )
    text = scaffold_contract(source, entity, take_sample(settings, what))
    if output == Path("-"):
        click.echo(text, nl=False)
        return
    path = output or settings.contracts / "sources" / f"{source}.{entity}.odcs.yaml"
    if path.exists():
        raise JourneylineError(
            "There is a contract already.",
            where=str(path),
            next_step="Compare with `--output FILE` and `journeyline contracts diff`.",
            exit_code=EXIT_USAGE,
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    click.echo(f"written: {path}")
    click.echo("next: check what says GUESS; docs/add-a-source.md goes on from here")


@command.command("land")
@click.argument("table", metavar="SOURCE/ENTITY")
@click.argument("files", nargs=-1, required=True)
@click.option("--received-at", type=Instant(),
              help="When it was received, if not now (2025-03-04T02:00:00Z).")  # fmt: skip
@click.option("--settle", type=click.FloatRange(0), default=10.0, show_default=True,
              help="Seconds a file in a folder must have rested before it is taken.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@click.pass_context
def land(
    context: click.Context,
    table: str,
    files: tuple[str, ...],
    received_at: datetime | None,
    settle: float,
    as_json: bool,
) -> None:
    """Put FILES into landing as deliveries of SOURCE/ENTITY; the next run takes them.

    FILES are files, folders or patterns such as 'in/*.csv'. Content that has landed before is not
    landed again; a file that is still being written is left alone. A file NAME.sha256 or NAME.rows
    beside NAME says what its deliverer meant, and the loader refuses what differs.
    """
    from orchestration.ingest.gathering import gather_files
    from orchestration.ingest.landing import land_once
    from orchestration.ingest.overview import table_named

    settings = settings_of(context)
    contract = table_named(settings, table)
    instant = received_at or datetime.now(UTC)
    gathered = gather_files(files, datetime.now(UTC).timestamp(), settle)
    landed: list[dict[str, Any]] = []
    for file in gathered.files:
        outcome = land_once(settings, contract.source, contract.entity, file, instant)
        landed.append(
            {
                "file": file,
                "table": contract.label,
                "delivery_id": outcome.delivery_id,
                "is_new": outcome.is_new,
            }
        )
        if not as_json:
            told = "landed" if outcome.is_new else "known already, not landed again"
            click.echo(f"{told}: {file} as {contract.label}/{outcome.delivery_id}")
    for file, reason in gathered.left_alone:
        landed.append({"file": file, "table": contract.label, "left_alone": reason})
        if not as_json:
            click.echo(f"left alone: {file}, because {reason}")
    if not landed:
        raise JourneylineError(
            "No file answers to these names.",
            where=", ".join(files),
            next_step="Give files, folders or patterns.",
            exit_code=EXIT_USAGE,
        )
    if as_json:
        echo_json(landed)
    else:
        click.echo("next: journeyline run")
