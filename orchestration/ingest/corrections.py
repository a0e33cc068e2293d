"""Corrections: a person delivers broken rows anew as they should have been.

A correction is a delivery like any other, so the landing holds it, a full refresh loads it, an
erasure reaches it, and the row ledger counts it. The rows that it stands for are discarded by an
act that names the person, the reason and the delivery.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from datetime import datetime
from pathlib import Path

from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.ingest.acts import DISCARD, append_acts
from orchestration.ingest.landing import land_once
from orchestration.ingest.loader import load_deliveries
from orchestration.ingest.quarantine import Acted, next_act_at, rows_answering, show_quarantine
from orchestration.settings import Settings

CORRECTED = "corrected"


def correct_quarantine(
    settings: Settings,
    what: str,
    file: Path,
    now: datetime | None,
    by: str,
    reason: str,
    rule: str | None = None,
) -> Acted:
    """Deliver rows of one table anew and discard the broken ones; the writer lock is held.

    The file is loaded by itself first: it has to keep the contract with as many rows as it stands
    for. An act that was cut off after the landing is carried on with by the same command.

    Args:
        settings: Home and project.
        what: Rows in quarantine, as in `show_quarantine`; of one table.
        file: The rows as they should be, in the format of the contract.
        now: The clock's time, UTC without zone; None where the company's nights are not the
            clock's.
        by: Who corrects.
        reason: Why, or by what source.
        rule: Only rows that broke this rule.

    Raises:
        JourneylineError: Nothing answers to it, rows of several tables do, or the file does not
            hold as many rows that keep the contract (exit 2).
    """
    rows = rows_answering(settings, what, rule, ("waiting", "replay waits"))
    tables = Counter((source, entity) for source, entity, _, _ in rows)
    if len(tables) > 1:
        raise _wrong("Rows of several tables answer to this name.", what)
    ((source, entity), count) = next(iter(tables.items()))
    _prove(settings, source, entity, file, count)
    at = next_act_at(settings, now)
    landed = land_once(settings, source, entity, file, at)
    said = f"{by}: {reason} (delivered as {landed.delivery_id})"
    append_acts(settings, DISCARD, rows, at, said, landed.delivery_id)
    return Acted(CORRECTED, at, count, {f"{source}/{entity}": count})


def _prove(settings: Settings, source: str, entity: str, file: Path, count: int) -> None:
    """Load the file in a home of its own."""
    with tempfile.TemporaryDirectory() as folder:
        alone = Settings(home=Path(folder), repo_root=settings.repo_root)
        land_once(alone, source, entity, file, datetime(2000, 1, 1))
        report = load_deliveries(alone, None)
        if report.refused:
            raise _wrong(f"The file is refused: {report.refused[0].partition(': ')[2]}.", str(file))
        if report.quarantined:
            row = show_quarantine(alone, source, 1)[0]
            said = f"{row.rule}, {row.column_name} = {row.value}"
            raise _wrong(f"Row {row.row_number} breaks the contract: {said}.", str(file))
        if report.accepted != count:
            told = f"The file holds {report.accepted} rows and stands for {count}."
            raise _wrong(told, str(file))


def _wrong(what: str, where: str) -> JourneylineError:
    return JourneylineError(
        what,
        where=where,
        next_step="Give the rows of one table as they should be, as many as are broken; "
        "`journeyline quarantine show` has them as delivered.",
        exit_code=EXIT_USAGE,
    )
