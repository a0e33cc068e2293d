"""The one error that a person is meant to read; anything else raised is a defect."""

from __future__ import annotations

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_REFUSED = 3


class JourneylineError(Exception):
    """Says what went wrong, where, and what to do next.

    Args:
        what: The failure in one sentence.
        where: File, table, row or setting it concerns.
        next_step: What the reader can do about it.
        exit_code: 1 failed, 2 wrong usage, configuration or state format, 3 the gate refused.
    """

    def __init__(
        self, what: str, where: str = "", next_step: str = "", exit_code: int = EXIT_FAILED
    ) -> None:
        self.what = what
        self.where = where
        self.next_step = next_step
        self.exit_code = exit_code
        super().__init__(what)

    def __str__(self) -> str:
        parts = [self.what]
        if self.where:
            parts.append(f"where: {self.where}")
        if self.next_step:
            parts.append(f"next: {self.next_step}")
        return "\n".join(parts)
