"""A company of nothing but the vendors that the project has ready and switched off."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import yaml

from orchestration import warehouse
from orchestration.ingest.derived import sync_files
from orchestration.ingest.landing import land_file
from orchestration.settings import REPO_ROOT, Settings

FIXTURES = REPO_ROOT / "tests" / "fixtures"
NIGHT = datetime(2025, 3, 4, 2, tzinfo=UTC)


def switched_on(folder: Path, *vendors: str) -> Settings:
    """A project of its own in which vendors are enabled; it has no home yet."""
    root = folder / "project"
    for part in ("orchestration/config", "dbt_project", "data_contracts"):
        shutil.copytree(REPO_ROOT / part, root / part)
    settings = Settings(home=folder / "home", repo_root=root)
    path = settings.config / "sources.yml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    for source in document["sources"]:
        source["enabled"] = source["enabled"] or source["name"] in vendors
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    sync_files(settings)
    return settings


def land_fixtures(settings: Settings, vendor: str, at: datetime = NIGHT) -> None:
    """Land every fixture of a vendor; a file is named after its table."""
    for path in sorted((FIXTURES / vendor).iterdir()):
        land_file(settings, vendor, path.name.split(".")[0], path, at)


def published(settings: Settings, query: str) -> list[tuple]:
    """Rows of the current release."""
    path = settings.current.resolve() / "journeyline.duckdb"
    connection = warehouse.connect(path, read_only=True)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()
