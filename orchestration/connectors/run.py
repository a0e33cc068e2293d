"""Fetches or checks several tables, each for itself: the failure of one stops no other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from orchestration.connectors.fetching import Clock, Fetched, Tell, fetch_table, utc_now
from orchestration.connectors.registry import fetchable, fetchable_labels
from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.format import check_format
from orchestration.settings import Settings


@dataclass(frozen=True)
class Checked:
    """What the check of one table found.

    Args:
        table: `source/entity`.
        state: `ready`, `wrong` (its configuration) or `unreachable`.
        says: What was found, in a sentence.
        next_step: What to do about it; empty where it is ready.
    """

    table: str
    state: str
    says: str
    next_step: str


def fetch_tables(
    settings: Settings, wanted: Iterable[str], tell: Tell, clock: Clock = utc_now
) -> list[Fetched]:
    """Fetch tables one after the other and land what came.

    Args:
        settings: Home and project.
        wanted: `source` or `source/entity`; nothing means everything that has a connector.
        tell: Told one line as pages come.
        clock: The present.

    Returns:
        What became of each; one that failed carries its error.

    Raises:
        JourneylineError: There is nothing to fetch under that name, or the state of the home is
            not usable (exit 2).
    """
    labels = fetchable_labels(settings, wanted)
    check_format(settings)
    report = []
    for label in labels:
        tell(f"{label} …")
        try:
            report.append(fetch_table(settings, fetchable(settings, label), clock, tell))
        except JourneylineError as error:
            report.append(_failed(label, str(error)))
        except OSError as error:
            report.append(_failed(label, f"{error.strerror or error}: {error.filename or ''}"))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            said = f"The source answered in another form than expected ({type(error).__name__})."
            report.append(_failed(label, f"{said}\nnext: fetch this table alone, with --debug"))
            if len(labels) == 1:
                raise
    return report


def _failed(label: str, error: str) -> Fetched:
    return Fetched(label, 0, 0, (), False, False, error=error)


def check_tables(settings: Settings, wanted: Iterable[str], tell: Tell) -> list[Checked]:
    """Prove configuration and reachability of tables without loading anything.

    Raises:
        JourneylineError: There is nothing to check under that name (exit 2).
    """
    report = []
    for label in fetchable_labels(settings, wanted):
        tell(f"{label} …")
        try:
            says = fetchable(settings, label).feed.check()
            report.append(Checked(label, "ready", says, ""))
        except JourneylineError as error:
            state = "wrong" if error.exit_code == EXIT_USAGE else "unreachable"
            says = f"{error.what} ({error.where})" if error.where else error.what
            report.append(Checked(label, state, says, error.next_step))
    return report
