"""`journeyline erase`: a person leaves everything that is kept."""

from __future__ import annotations

import getpass

import click

from orchestration.cli.common import as_mapping, echo_json, settings_of
from orchestration.errors import EXIT_REFUSED, JourneylineError


@click.command("erase")
@click.argument("identifier")
@click.option("--reason", required=True, help="Why; it must not name the person.")
@click.option("--by", default=getpass.getuser, show_default="the user", help="Who asks for it.")
@click.option("--no-rebuild", is_flag=True, help="Leave the rebuilding to the next run.")
@click.option("--json", "as_json", is_flag=True, help="The receipt as JSON.")
@click.pass_context
def command(
    context: click.Context, identifier: str, reason: str, by: str, no_rebuild: bool, as_json: bool
) -> int:
    """Erase the person whom IDENTIFIER means, with all their records, and rebuild.

    IDENTIFIER is an e-mail address, a phone number with its country, a user id, a customer id, or
    a record as source/entity/record_id. What is delivered again later stays erased.
    """
    from orchestration.pipeline.night import run_nights
    from orchestration.privacy.erasing import erase_person

    settings = settings_of(context)
    receipt = as_mapping(erase_person(settings, identifier, by=by, reason=reason))
    refusal: JourneylineError | None = None
    if not no_rebuild:
        try:
            run_nights(settings)
        except JourneylineError as error:
            refusal = error
    if as_json:
        echo_json({**receipt, "rebuilt": refusal is None and not no_rebuild})
    else:
        for name, value in receipt.items():
            click.echo(f"{name.replace('_', ' ')}: {value}")
    if refusal is not None:
        click.echo(f"error: the person is erased, but the rebuilding failed: {refusal}", err=True)
        return refusal.exit_code or EXIT_REFUSED
    return 0
