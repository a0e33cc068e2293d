"""`journeyline run` that dies by its own hand once an asset is materialized.

Usage: python dying_run.py HOME FILE [ASSET]; without an asset it lives, and leaves the assets in
FILE, in the order in which they came.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

from orchestration.cli.main import main


def watch(seen: list[str], last: str | None) -> None:
    """Count assets as Dagster's event log is told of them, and die after the last one."""
    store = SqliteEventLogStorage.store_event

    def stored(self: SqliteEventLogStorage, event: Any) -> None:
        store(self, event)
        told = event.dagster_event
        if told is None or told.event_type_value != "ASSET_MATERIALIZATION":
            return
        asset = told.asset_key.to_user_string()
        if asset not in seen:
            seen.append(asset)
        if asset == last:
            os.kill(os.getpid(), signal.SIGKILL)

    SqliteEventLogStorage.store_event = stored  # type: ignore[method-assign]


if __name__ == "__main__":
    home, file, *asset = sys.argv[1:]
    assets: list[str] = []
    watch(assets, asset[0] if asset else None)
    try:
        main(["--home", home, "run", "--no-wait"])
    finally:
        Path(file).write_text(json.dumps(assets), encoding="utf-8")
