"""`journeyline status`: what is published, what waits, what was refused."""

from __future__ import annotations

from typing import Any

import click

from orchestration.cli.common import echo_json, settings_of
from orchestration.settings import Settings


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """Say what is published, what waits and what was refused."""
    status = _status(settings_of(context))
    if as_json:
        echo_json(status)
        return
    for line in _lines(status):
        click.echo(line)


def _status(settings: Settings) -> dict[str, Any]:
    from orchestration.cli.summary import summarize
    from orchestration.followers.following import last_following
    from orchestration.format import check_format
    from orchestration.pipeline import state
    from orchestration.publish.releases import rollback_in_force, stale_sources

    if settings.home.exists():
        check_format(settings)
    status: dict[str, Any] = {
        "home": str(settings.home),
        "as_of": state.current_as_of(settings),
        "waiting_nights": state.waiting_nights(settings),
        "release_id": settings.current.resolve().name if settings.current.exists() else None,
        "rollback": rollback_in_force(settings),
        "stale": stale_sources(settings),
        "followers": last_following(settings),
    }
    if settings.warehouse.exists() and settings.current.exists():
        status.update(summarize(settings))
    return status


def _lines(status: dict[str, Any]) -> list[str]:
    waiting = status["waiting_nights"]
    lines = [f"home       {status['home']}"]
    if status["release_id"] is None:
        lines.append("release    none yet")
    else:
        lines.append(f"release    {status['release_id']} (as of {status['as_of']} UTC)")
    if status["rollback"]:
        told = ", ".join(f"{key} {value}" for key, value in dict(status["rollback"]).items())
        lines.append(f"rollback   in force: {told}")
    lines += [f"follower   {_followed(follower)}" for follower in status["followers"]]
    lines += [f"stale      {line}" for line in status["stale"]]
    if "customers" in status:
        lines.append(f"customers  {status['customers']:,} from {status['records']:,} records")
        lines.append(f"quarantine {status['quarantined_rows']:,} rows")
        checks = status["checks"]
        lines.append(f"checks     {checks['passed']} passed, {checks['warned']} warned")
        lines += [f"refused    {line}" for line in status["refused"]]
        lines += [f"held       {line}" for line in status["held"]]
    lines.append(
        f"waiting    {len(waiting)} night(s), {waiting[0]} to {waiting[-1]}: journeyline run"
        if waiting
        else "waiting    nothing"
    )
    return lines


def _followed(follower: Any) -> str:
    if not follower.is_behind:
        return f"{follower.name} serves {follower.release_id}"
    why = follower.error or "it was not asked since"
    return f"{follower.name} is behind, at {follower.release_id}: {why}"
