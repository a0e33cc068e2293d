"""`identity_decisions.yml` as facts: what people have decided about two records.

Belongs here: reading and proving the file, and appending a decision to it. What a decision does
is SQL (`dbt_project/models/unify/clusters`).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.proved_yaml import load_proved
from orchestration.settings import Settings

FILE = "identity_decisions.yml"
_RECORD = re.compile(r"^[a-z][a-z0-9_]*/[a-z][a-z0-9_]*/\S+$")


class Decision(BaseModel):
    """A person's word on two records.

    Args:
        decision: `must_link`: one person's. `cannot_link`: two persons'.
        records: The two records, written `source/entity/record_id`.
        author: Who decided.
        reason: Why; never an identifier.
        decided_at: When. It enters the id ledger at this instant, and is in force from the first
            run whose as-of has reached it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    decision: Literal["must_link", "cannot_link"]
    records: tuple[str, str]
    author: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    decided_at: datetime

    @field_validator("records")
    @classmethod
    def _are_two_records(cls, value: tuple[str, str]) -> tuple[str, str]:
        for record in value:
            if not _RECORD.match(record):
                raise ValueError(f"{record!r} is not written source/entity/record_id")
        if value[0] == value[1]:
            raise ValueError(f"{value[0]!r} stands on both sides")
        return min(value), max(value)

    @field_validator("decided_at")
    @classmethod
    def _in_utc(cls, value: datetime) -> datetime:
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value

    @property
    def decision_id(self) -> str:
        """An id that depends on what was decided, by whom and when."""
        said = [self.decision, *self.records, self.author, self.decided_at.isoformat()]
        return hashlib.sha256("\n".join(said).encode()).hexdigest()[:16]


class Decisions(BaseModel):
    """The whole file; no pair is decided twice."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    decisions: list[Decision] = []

    @model_validator(mode="after")
    def _each_pair_once(self) -> Decisions:
        seen: set[tuple[str, str]] = set()
        for decision in self.decisions:
            if decision.records in seen:
                left, right = decision.records
                raise ValueError(f"{left} and {right} are decided twice; keep one decision")
            seen.add(decision.records)
        return self


def load_decisions(settings: Settings) -> list[Decision]:
    """The decisions of `identity_decisions.yml`; none where the file is missing.

    Raises:
        JourneylineError: The file is no YAML, or says something that cannot be (exit 2).
    """
    path = settings.config / FILE
    return load_proved(path, Decisions).decisions if path.exists() else []


def append_decision(settings: Settings, decision: Decision) -> None:
    """Write one more decision at the end of the file.

    Raises:
        JourneylineError: The pair is decided already, or the file is not valid (exit 2).
    """
    path = settings.config / FILE
    known = load_decisions(settings)
    if any(other.records == decision.records for other in known):
        raise JourneylineError(
            f"{decision.records[0]} and {decision.records[1]} are decided already.",
            str(path),
            "Change or delete that decision in the file.",
            EXIT_USAGE,
        )
    text = path.read_text(encoding="utf-8") if path.exists() else "decisions: []\n"
    text = re.sub(r"(?m)^decisions: *\[\] *$", "decisions:", text).rstrip("\n") + "\n"
    left, right = (json.dumps(record) for record in decision.records)
    text += (
        f"  - decision: {decision.decision}\n"
        f"    records: [{left}, {right}]\n"
        f"    author: {json.dumps(decision.author)}\n"
        f"    reason: {json.dumps(decision.reason)}\n"
        f"    decided_at: {decision.decided_at.isoformat()}Z\n"
    )
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
    load_decisions(settings)
