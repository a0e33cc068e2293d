"""`journeyline identity`: why two records are one customer, and what people decide about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orchestration.cli.common import echo_json, echo_table, settings_of

if TYPE_CHECKING:
    from orchestration.unify.explain import Link, Why


@click.group("identity")
def command() -> None:
    """Why records are one customer; merge, split, review, restore, train."""


@command.command("why")
@click.argument("left")
@click.argument("right")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@click.pass_context
def why(context: click.Context, left: str, right: str, as_json: bool) -> None:
    """Show the shortest chain of evidence between LEFT and RIGHT.

    Each is an e-mail address, a phone number, a user id, or a record written
    source/entity/record_id.
    """
    from orchestration.unify.explain import explain

    found = explain(settings_of(context), left, right)
    if as_json:
        echo_json(found)
        return
    _tell_why(found)


@command.command("merge")
@click.argument("left")
@click.argument("right")
@click.option("--author", required=True, help="Who decides.")
@click.option("--reason", required=True, help="Why; no identifiers.")
@click.pass_context
def merge(context: click.Context, left: str, right: str, author: str, reason: str) -> None:
    """Decide that LEFT and RIGHT are one person (must_link)."""
    _decide(context, True, left, right, author, reason)


@command.command("split")
@click.argument("left")
@click.argument("right")
@click.option("--author", required=True, help="Who decides.")
@click.option("--reason", required=True, help="Why; no identifiers.")
@click.pass_context
def split(context: click.Context, left: str, right: str, author: str, reason: str) -> None:
    """Decide that LEFT and RIGHT are two persons (cannot_link): the weakest link gives way."""
    _decide(context, False, left, right, author, reason)


@command.command("review")
@click.option("--limit", type=click.IntRange(1), default=10, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@click.pass_context
def review(context: click.Context, limit: int, as_json: bool) -> None:
    """Show the pairs that wait for a person, with the evidence, and what was decided."""
    from orchestration.unify.review import decisions_in_force, review_queue

    settings = settings_of(context)
    count, waiting = review_queue(settings, limit)
    decided = decisions_in_force(settings)
    if as_json:
        echo_json(
            {
                "waiting": count,
                "pairs": waiting,
                "decisions": [
                    {**each.model_dump(), "is_in_force": in_force} for each, in_force in decided
                ],
            }
        )
        return
    click.echo(f"{count:,} pairs wait for review")
    for pair in waiting:
        click.echo(f"\n{pair.records[0]}  {pair.records[1]}  probability {pair.probability:.3f}")
        _tell_outcomes(pair.outcomes)
    if decided:
        echo_table(
            "decisions",
            ("decision", "records", "author", "reason", "decided at", "in force"),
            [
                (
                    each.decision,
                    " ".join(each.records),
                    each.author,
                    each.reason,
                    each.decided_at,
                    "yes" if in_force else "not yet",
                )
                for each, in_force in decided
            ],
        )
    if waiting:
        click.echo(
            "\nnext: journeyline identity merge|split RECORD RECORD --author NAME --reason WHY"
        )


@command.command("restore")
@click.argument("release", required=False)
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@click.pass_context
def restore(context: click.Context, release: str | None, as_json: bool) -> None:
    """Put the id ledger back as RELEASE holds it (default: the release that holds most of it)."""
    from orchestration.pipeline.locking import writing
    from orchestration.publish.identity_restore import restore as put_back

    settings = settings_of(context)
    with writing(settings):
        report = put_back(settings, release)
    if as_json:
        echo_json(report)
        return
    click.echo(
        f"restored from {report.release_id}: {report.restored_files} of {report.ledger_files} "
        f"files of the id ledger; {report.tombstones} erasures are known"
    )
    click.echo("next: journeyline run")


@command.command("train")
@click.option("--pairs", type=click.IntRange(1000), default=2_000_000, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@click.pass_context
def train(context: click.Context, pairs: int, as_json: bool) -> None:
    """Train the matcher on this home's records and write the file that identity.yml names."""
    from orchestration.errors import EXIT_USAGE, JourneylineError
    from orchestration.unify.model import level_weights
    from orchestration.unify.rules import load_identity_rules
    from orchestration.unify.training import train_model, write_model

    settings = settings_of(context)
    fuzzy = load_identity_rules(settings).probabilistic
    if fuzzy is None:
        raise JourneylineError(
            "identity.yml names no trained matcher.",
            str(settings.config / "identity.yml"),
            "Give it a `probabilistic` section.",
            EXIT_USAGE,
        )
    model = train_model(settings, pairs=pairs)
    path = settings.config / fuzzy.model
    write_model(model, path)
    weights = level_weights(model)
    if as_json:
        echo_json({"file": path, "trained_on": model.trained_on, "weights": weights})
        return
    echo_table(
        f"trained on {model.trained_on:,} records",
        ("comparison", "outcome", "weight in bits"),
        [(comparison, label, f"{weight / 1000:.2f}") for comparison, _, label, weight in weights],
    )
    click.echo(f"written: {path}")
    click.echo("next: review the difference, then journeyline run")


@command.command("macros", hidden=True)
@click.pass_context
def macros(context: click.Context) -> None:
    """Write the dbt macro that is derived from the comparisons."""
    from orchestration.unify.fuzzy_macros import MACRO, macro_text

    path = settings_of(context).dbt_project / MACRO
    path.write_text(macro_text(), encoding="utf-8")
    click.echo(f"written: {path}")


def _decide(
    context: click.Context, is_one: bool, left: str, right: str, author: str, reason: str
) -> None:
    from orchestration.unify.decisions import FILE
    from orchestration.unify.review import decide

    settings = settings_of(context)
    decided = decide(
        settings,
        "must_link" if is_one else "cannot_link",
        left,
        right,
        author=author,
        reason=reason,
    )
    click.echo(f"{decided.decision}: {decided.records[0]} {decided.records[1]}")
    click.echo(f"written: {settings.config / FILE}, to be reviewed like any other file")
    click.echo("next: journeyline run")


def _tell_why(found: Why) -> None:
    if not found.is_one_customer:
        click.echo("no chain of evidence: they are different customers")
        click.echo(f"  {', '.join(found.left_records)}: {', '.join(found.left_customers)}")
        click.echo(f"  {', '.join(found.right_records)}: {', '.join(found.right_customers)}")
    elif not found.chain:
        click.echo(f"one record: {', '.join(sorted(set(found.left_records)))}")
    else:
        click.echo(f"one customer, {', '.join(found.left_customers)}:")
        for number, link in enumerate(found.chain, start=1):
            _tell_link(number, link)
    if found.refused:
        echo_table(
            "what does not link",
            ("records", "rule", "value", "why not", "known at"),
            [
                (" ".join(each.records), each.rule, each.value, each.reason, each.known_at)
                for each in found.refused
            ],
        )


def _tell_link(number: int, link: Link) -> None:
    shared = f" {link.value}" if link.value else ""
    click.echo(f"{number}. {link.records[0]} — {link.records[1]}")
    click.echo(f"   {link.rule}:{shared} (evidence {link.evidence}), known at {link.known_at}")
    _tell_outcomes(link.outcomes)
    for row in link.source_rows:
        since = f", since {row.valid_from}" if row.valid_from else ""
        told = f", delivery {row.delivery_id}" if row.delivery_id else ""
        click.echo(f"   {row.record}{since}, received at {row.received_at}{told}")
    if link.also:
        click.echo(f"   also: {', '.join(link.also)}")
    if link.would_split:
        click.echo("   without it the records would fall into")
        for part in link.would_split:
            click.echo(f"     {', '.join(part)}")
    else:
        click.echo("   without it other evidence holds them together")


def _tell_outcomes(outcomes: list[tuple[str, float]]) -> None:
    for label, weight in outcomes:
        click.echo(f"     {weight:+7.2f}  {label}")
