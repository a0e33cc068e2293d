"""Another pseudonym key gives other pseudonyms; who is who stays as it was."""

from __future__ import annotations

import gzip
import json
import shutil
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from built_company import ledger_hashes, parquet_hashes
from searching import places_with

from orchestration import warehouse
from orchestration.ingest.landing import land_file, list_deliveries
from orchestration.pipeline.night import run_nights
from orchestration.privacy.erasing import erase_person
from orchestration.privacy.handles import read_tombstones
from orchestration.settings import Settings

PSEUDONYMS = (
    "select identifier_type, identifier_value from bridge_customer_identifiers "
    "where identifier_type in ('email', 'phone')"
)


def rows(path: Path, query: str) -> set[tuple[object, ...]]:
    with closing(warehouse.connect(path, read_only=True)) as connection:
        return set(connection.execute(query).fetchall())


def published(settings: Settings, query: str) -> set[tuple[object, ...]]:
    return rows(settings.current.resolve() / "journeyline.duckdb", query)


def everybody(settings: Settings) -> dict[str, set[tuple[object, ...]]]:
    """Who is who, without a pseudonym."""
    return {
        table: published(settings, f"select {columns} from {table}")
        for table, columns in (
            ("dim_customers", "customer_id"),
            ("bridge_customer_records", "source, entity, record_id, customer_id"),
            ("fct_touchpoints", "customer_id, touchpoint_type, occurred_at"),
        )
    }


@pytest.mark.slow
def test_a_rotated_pseudonym_key_changes_pseudonyms_and_keeps_ids_and_the_erased(
    built_home: Settings, tmp_path: Path
) -> None:
    settings = built_home
    ((email,),) = rows(
        settings.warehouse, "select min(email) from raw.hubspot__contacts where email is not null"
    )
    delivered = {
        d.label: (d.file.name, d.file.read_bytes())
        for d in list_deliveries(settings)
        if (d.source, d.entity) == ("hubspot", "contacts")
    }
    assert places_with(settings, [str(email)])
    erase_person(settings, str(email), by="ada", reason="request 17")
    run_nights(settings)
    tombstones, ledger = read_tombstones(settings), ledger_hashes(settings)
    who, pseudonyms = everybody(settings), published(settings, PSEUDONYMS)
    assert tombstones and all(who.values()) and pseudonyms

    (settings.keys / "pseudonym.key").write_text("r" * 64 + "\n", encoding="ascii")
    report = run_nights(settings)
    assert report.publication is not None and report.publication.published
    rotated = published(settings, PSEUDONYMS)
    assert (len(rotated), rotated & pseudonyms) == (len(pseudonyms), set())
    assert everybody(settings) == who
    assert (read_tombstones(settings), ledger_hashes(settings)) == (tombstones, ledger)
    assert run_nights(settings).nothing_new
    before = parquet_hashes(settings)
    run_nights(settings, full_refresh=True)
    assert parquet_hashes(settings) == before

    # The same person in other bytes: a known hash would be a delivery of duplicates.
    at = max(d.received_at for d in list_deliveries(settings))
    for number, (name, content) in enumerate(delivered.values(), start=1):
        text = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
        lines = [line for line in text.decode().splitlines() if str(email) in line.lower()]
        if lines:
            file = tmp_path / "again" / name
            file.parent.mkdir(exist_ok=True)
            said = "".join(json.dumps(json.loads(line), sort_keys=True) + "\n" for line in lines)
            file.write_bytes(gzip.compress(said.encode()) if name.endswith("gz") else said.encode())
            land_file(settings, "hubspot", "contacts", file, at + timedelta(minutes=number))
            shutil.rmtree(file.parent)
    run_nights(settings)
    assert places_with(settings, [str(email)]) == set()
    assert everybody(settings) == who
