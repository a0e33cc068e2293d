"""A home and a project whose `sources.yml` has a connector, and a fetch of one table."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from orchestration.connectors.fetching import Fetched, fetch_table
from orchestration.connectors.registry import fetchable
from orchestration.ingest.landing import list_deliveries
from orchestration.settings import REPO_ROOT, Settings

NIGHT = datetime(2025, 3, 4, 2, tzinfo=UTC)
PATIENCE = {"attempts": 4, "backoff_seconds": 0.01, "max_wait_seconds": 5, "timeout_seconds": 5}


def project_with(
    folder: Path, source: str, connector: dict[str, Any], *, enabled: bool | None = None
) -> Settings:
    """A project of its own, the same but for the connector of one source, or its being enabled."""
    root = folder / "project"
    config = root / "orchestration" / "config"
    if not config.exists():
        config.parent.mkdir(parents=True)
        shutil.copytree(REPO_ROOT / "orchestration" / "config", config)
        for name in ("data_contracts", "dbt_project"):
            (root / name).symlink_to(REPO_ROOT / name)
    path = config / "sources.yml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    for entry in document["sources"]:
        if entry["name"] == source:
            entry["connector"] = connector
            entry["enabled"] = entry["enabled"] if enabled is None else enabled
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return Settings(home=folder / "home", repo_root=root)


def fetch(
    settings: Settings,
    label: str,
    at: datetime = NIGHT,
    told: Callable[[str], None] = lambda line: None,
) -> Fetched:
    return fetch_table(settings, fetchable(settings, label), lambda: at, told)


def landed_records(settings: Settings) -> list[Any]:
    """The records of all NDJSON deliveries, in the order of the deliveries."""
    return [
        json.loads(line)
        for delivery in list_deliveries(settings)
        for line in delivery.file.read_text(encoding="utf-8").splitlines()
    ]


def landed_text(settings: Settings) -> str:
    return "".join(d.file.read_text(encoding="utf-8") for d in list_deliveries(settings))
