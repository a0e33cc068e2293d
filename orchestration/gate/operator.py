"""A person who acts on a release by name and reason."""

from __future__ import annotations

from dataclasses import dataclass

from orchestration.errors import EXIT_USAGE, JourneylineError


@dataclass(frozen=True)
class Operator:
    """Who publishes by hand, why, and despite which checks.

    Args:
        by: Name of the person.
        reason: Why; it stands in the journal, the manifest and the release.
        despite: Names of the failing checks that must not stop the release.
    """

    by: str
    reason: str
    despite: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.by.strip() or not self.reason.strip():
            raise JourneylineError(
                "An act on a release needs a name and a reason.",
                "releases publish",
                "Give --by NAME and --reason TEXT.",
                EXIT_USAGE,
            )
