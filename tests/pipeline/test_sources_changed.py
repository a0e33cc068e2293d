"""A change of `sources.yml` builds again only what it must, and the same as a full refresh does."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from vendor_company import land_fixtures, switched_on

from orchestration import warehouse
from orchestration.ingest.derived import sync_files
from orchestration.pipeline.night import nothing_waits, run_nights
from orchestration.settings import Settings

pytestmark = pytest.mark.slow


def changed(settings: Settings, name: str, **fields: object) -> None:
    """Change the entry of one source, and what is derived from it."""
    path = settings.config / "sources.yml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    (entry,) = [source for source in document["sources"] if source["name"] == name]
    entry.update(fields)
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    sync_files(settings)


def loads(settings: Settings) -> dict[str, set[int]]:
    """The loads that each table's rows came with."""
    connection = warehouse.connect(settings.warehouse, read_only=True)
    try:
        tables = ("hubspot__contacts", "pipedrive__persons")
        query = "select distinct _load_number from raw.{}"
        return {
            table: {number for (number,) in connection.execute(query.format(table)).fetchall()}
            for table in tables
        }
    finally:
        connection.close()


def parquet(settings: Settings) -> dict[str, bytes]:
    root = settings.current.resolve() / "parquet"
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*.parquet"))}


def test_more_sources_leave_what_was_loaded_and_equal_a_full_refresh(tmp_path: Path) -> None:
    settings = switched_on(tmp_path)
    for vendor in ("hubspot", "pipedrive"):
        land_fixtures(settings, vendor)
    run_nights(settings)
    assert loads(settings) == {"hubspot__contacts": {1}, "pipedrive__persons": set()}

    # Where it is fetched from, and who answers for it, is in no table.
    connector = {
        "kind": "postgresql",
        "url_from": "CRM_URL",
        "tables": {"contacts": {"table": "crm.contacts"}},
    }
    changed(settings, "hubspot", connector=connector, owner="somebody-else")
    assert nothing_waits(settings)
    before = parquet(settings)

    changed(settings, "pipedrive", enabled=True)
    assert not nothing_waits(settings)
    run_nights(settings)
    assert loads(settings) == {"hubspot__contacts": {1}, "pipedrive__persons": {2}}
    grown = parquet(settings)
    assert grown != before

    other = Settings(home=tmp_path / "other", repo_root=settings.repo_root)
    for part in ("landing", "identity", "keys", "format.json"):
        source = settings.home / part
        copy = shutil.copytree if source.is_dir() else shutil.copy
        other.home.mkdir(exist_ok=True)
        copy(source, other.home / part)
    run_nights(other, full_refresh=True)
    assert loads(other) == {"hubspot__contacts": {1}, "pipedrive__persons": {1}}
    assert parquet(other) == grown
