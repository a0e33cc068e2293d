"""The command line: `journeyline`. Commands are imported when they are called, so help is fast."""

from __future__ import annotations

import importlib
import sys
import traceback

import click

from orchestration.errors import EXIT_FAILED, EXIT_USAGE, JourneylineError

_COMMANDS = {
    "demo": ("orchestration.cli.demo", "Generate the demo company, or add the nights it lacks."),
    "run": ("orchestration.cli.run", "Run the nights that wait and publish a release."),
    "status": ("orchestration.cli.status", "What is published, what waits, what was refused."),
    "releases": (
        "orchestration.cli.releases",
        "List, compare, verify, publish, roll back, keep releases.",
    ),
    "sources": ("orchestration.cli.fetch", "List sources, land files, fetch from connectors."),
    "quarantine": ("orchestration.cli.quarantine", "Rows that broke their contract."),
    "erase": ("orchestration.cli.erase", "Erase a person from everything that is kept."),
    "export-person": ("orchestration.cli.export_person", "All that is held about one person."),
    "identity": (
        "orchestration.cli.identity",
        "Why records are one customer; merge, split, review, train.",
    ),
    "contracts": (
        "orchestration.cli.contracts",
        "Compare contracts; rewrite what is derived from them.",
    ),
}


class LazyGroup(click.Group):
    """A group whose commands live in modules of their own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order a new user meets them."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; None where there is none of that name."""
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(_COMMANDS[cmd_name][0])
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, told) for name, (_, told) in _COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.option("--home", metavar="DIR", help="Home folder, instead of JOURNEYLINE_HOME.")
@click.version_option(package_name="journeyline")
@click.pass_context
def journeyline(context: click.Context, debug: bool, home: str | None) -> None:
    """One customer journey out of CRM, e-mail, app and support data.

    A new home: `journeyline demo`, then `journeyline run`, then `journeyline status`.
    """
    context.ensure_object(dict)
    context.obj["debug"] = debug
    context.obj["home"] = home


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong usage, 3 the gate refused."""
    given = sys.argv[1:] if arguments is None else arguments
    sys.exit(_run(given))


def _run(arguments: list[str]) -> int:
    debug = "--debug" in arguments
    try:
        code = journeyline.main(arguments, prog_name="journeyline", standalone_mode=False)
        return int(code) if isinstance(code, int) else 0
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        error.show()
        return EXIT_USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped; nothing was published", err=True)
        return EXIT_FAILED
    except JourneylineError as error:
        _show(debug)
        click.echo(f"error: {error}", err=True)
        return error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        return EXIT_FAILED
    except Exception as error:
        _show(debug)
        click.echo(f"error: {type(error).__name__}: {error}", err=True)
        click.echo("next: this is a defect; `journeyline --debug …` shows where.", err=True)
        return EXIT_FAILED


def _show(debug: bool) -> None:
    if debug:
        traceback.print_exc()


if __name__ == "__main__":
    main()
