"""A change of sources or contracts loads again only what it must, as a full refresh would."""

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
    """The published files."""
    root = settings.current.resolve() / "parquet"
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*.parquet"))}


def ledger(settings: Settings) -> dict[str, bytes]:
    """The id ledger's files."""
    return {path.name: path.read_bytes() for path in settings.identity.glob("ledger/*")}


def copied(settings: Settings, home: Path) -> Settings:
    """The same project over a copy of a home's state, without anything derived."""
    home.mkdir()
    for part in ("landing", "identity", "keys", "format.json"):
        source = settings.home / part
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, home / part)
    return Settings(home=home, repo_root=settings.repo_root)


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

    other = copied(settings, tmp_path / "other")
    run_nights(other, full_refresh=True)
    assert loads(other) == {"hubspot__contacts": {1}, "pipedrive__persons": {1}}
    assert parquet(other) == grown


def test_another_contract_loads_its_own_table_anew_and_equals_a_full_refresh(
    tmp_path: Path,
) -> None:
    settings = switched_on(tmp_path, "pipedrive")
    for vendor in ("hubspot", "pipedrive"):
        land_fixtures(settings, vendor)
    run_nights(settings)
    assert loads(settings) == {"hubspot__contacts": {1}, "pipedrive__persons": {1}}
    before = parquet(settings)
    other = copied(settings, tmp_path / "other")

    # A person without an organisation is a broken row from now on, and loses a customer.
    path = settings.contracts / "sources" / "pipedrive.persons.odcs.yaml"
    text = path.read_text(encoding="utf-8")
    changes = [("required: false", "required: true"), ("value: 0.05", "value: 0.6")]
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path.write_text(text, encoding="utf-8")
    sync_files(settings)
    assert not nothing_waits(settings)
    report = run_nights(settings)
    assert report.load is not None
    assert (report.load.accepted, report.load.quarantined) == (1, 1)
    assert loads(settings) == {"hubspot__contacts": {1}, "pipedrive__persons": {2}}
    assert nothing_waits(settings)

    run_nights(other, full_refresh=True)
    assert loads(other) == {"hubspot__contacts": {1}, "pipedrive__persons": {1}}
    assert before != parquet(settings) == parquet(other)
    assert ledger(settings) == ledger(other)
