"""Rows that a test lands by hand, after the nights of a built company."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from built_company import Built

from orchestration.ingest.landing import land_file
from orchestration.settings import Settings


def next_night(built: Built, later: int = 0) -> datetime:
    """The instant at which the night after the company's last one delivers."""
    night = built.report.nights[-1] + timedelta(days=1 + later)
    return datetime.combine(night, time(2), tzinfo=UTC)


def support_user(number: int, **changes: object) -> dict[str, object]:
    """A support user whom nobody knew."""
    return {
        "id": number,
        "email": f"new.person.{number}@mailbox.example",
        "name": "New Person",
        "role": "end-user",
        "created_at": "2025-07-01T00:00:00Z",
        "updated_at": "2025-07-01T00:00:00Z",
        "active": True,
        **changes,
    }


def land_users(
    settings: Settings, folder: Path, users: list[dict[str, object]], received_at: datetime
) -> str:
    """Land support users as one delivery; returns its id."""
    path = folder / "users.ndjson"
    path.write_text("".join(json.dumps(user) + "\n" for user in users), encoding="utf-8")
    return land_file(settings, "zendesk", "users", path, received_at)
