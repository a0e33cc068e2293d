"""The format of the state under the home folder, written once and checked at every start."""

from __future__ import annotations

import json
import os

from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.settings import Settings

FORMAT = 1


def check_format(settings: Settings) -> None:
    """Write `format.json` on first use; refuse a home that newer code has written.

    Raises:
        JourneylineError: The state is newer than this code, or unreadable (exit 2).
    """
    path = settings.home / "format.json"
    if not path.exists():
        settings.home.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps({"format": FORMAT}) + "\n", encoding="utf-8")
        os.replace(temporary, path)
        return
    try:
        found = int(json.loads(path.read_text(encoding="utf-8"))["format"])
    except (ValueError, KeyError, TypeError) as error:
        raise JourneylineError(
            "format.json cannot be read.", str(path), "Restore it from a backup.", EXIT_USAGE
        ) from error
    if found > FORMAT:
        raise JourneylineError(
            f"This home has state format {found}; this version of Journeyline knows {FORMAT}.",
            str(path),
            "Run the newer version that wrote it.",
            EXIT_USAGE,
        )
