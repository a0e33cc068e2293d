"""What a person is told when the gate refuses a candidate."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace

from orchestration.errors import EXIT_REFUSED, EXIT_USAGE, JourneylineError
from orchestration.gate.audit import FAILED, OVERRIDDEN, CheckResult
from orchestration.gate.operator import Operator
from orchestration.settings import Settings

_NAMED = 5


def override_failed(
    results: Sequence[CheckResult], operator: Operator | None
) -> tuple[CheckResult, ...]:
    """Mark the failed checks despite which a person publishes.

    Raises:
        JourneylineError: A check that is named did not fail (exit 2).
    """
    despite = set(operator.despite) if operator else set()
    needless = despite - {result.name for result in results if result.verdict == FAILED}
    if needless:
        raise JourneylineError(
            f"No check of that name fails: {', '.join(sorted(needless))}.",
            "releases publish --despite",
            "Name only checks that fail; logs/last_refusal.json lists them.",
            EXIT_USAGE,
        )
    return tuple(
        replace(result, verdict=OVERRIDDEN) if result.name in despite else result
        for result in results
    )


def refuse_failed(settings: Settings, results: Sequence[CheckResult]) -> None:
    """Raise if a check of severity error failed; keep every result in `logs/last_refusal.json`.

    Raises:
        JourneylineError: With exit code 3, naming the checks, their counts and masked samples.
    """
    failed = [result for result in results if result.verdict == FAILED]
    if not failed:
        return
    settings.logs.mkdir(parents=True, exist_ok=True)
    path = settings.logs / "last_refusal.json"
    path.write_text(
        json.dumps([asdict(result) for result in results if result.verdict != "passed"], indent=2)
        + "\n",
        encoding="utf-8",
    )
    lines = [_line(result) for result in failed[:_NAMED]]
    if len(failed) > _NAMED:
        lines.append(f"and {len(failed) - _NAMED} more")
    served = "the last release is still served" if settings.current.is_symlink() else "no release"
    raise JourneylineError(
        f"The gate refused the candidate ({served}); failed checks: {len(failed)} "
        f"of {len(results)}.\n" + "\n".join(lines),
        where=str(path),
        next_step="Look at the rows named, repair the source or the model, and run again; "
        "each check names its section of docs/runbook.md.",
        exit_code=EXIT_REFUSED,
    )


def _line(result: CheckResult) -> str:
    if result.detail is not None:
        return (
            f"- {result.name}: {result.description} Could not be asked: {result.detail} "
            f"First aid: {result.first_aid}"
        )
    samples = "; ".join(
        ", ".join(f"{name}={value}" for name, value in sample.items()) for sample in result.samples
    )
    return (
        f"- {result.name} (table {result.table}): {result.description} "
        f"Rows that break it: {result.failing_count}, such as {samples}. "
        f"First aid: {result.first_aid}, owner: {result.owner}"
    )
