"""A started UI, as the tests of this folder ask it."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.settings import Settings


@dataclass(frozen=True)
class DagsterUi:
    """The UI of one home.

    Args:
        settings: The home.
        url: Where it answers.
        log: What it printed.
        run: The summary that `journeyline run --json` gave.
    """

    settings: Settings
    url: str
    log: Path
    run: dict[str, Any]

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Ask GraphQL, and give its data."""
        request = urllib.request.Request(
            f"{self.url}/graphql",
            data=json.dumps({"query": query, "variables": variables}).encode(),
            headers={"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            answer: dict[str, Any] = json.load(response)
        assert "errors" not in answer, answer
        data: dict[str, Any] = answer["data"]
        return data
