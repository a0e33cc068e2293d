"""Lands one support user whom nobody knew, so that there is something to publish."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from orchestration.ingest.landing import land_file
from orchestration.settings import Settings


def land_person(settings: Settings, folder: Path, user_id: str, received_at: datetime) -> None:
    """Land a delivery of `zendesk/users` with one user.

    Args:
        settings: The home to land in.
        folder: Where the file is written first.
        user_id: The user's id, of digits.
        received_at: Instant of arrival; without a zone it is UTC.
    """
    user = {
        "id": int(user_id),
        "email": f"new.person.{user_id}@example.org",
        "name": "New Person",
        "role": "end-user",
        "created_at": "2025-07-01T00:00:00Z",
        "updated_at": "2025-07-01T00:00:00Z",
        "active": True,
    }
    path = folder / f"{user_id}.ndjson"
    path.write_text(json.dumps(user) + "\n", encoding="utf-8")
    land_file(settings, "zendesk", "users", path, received_at)
