"""Tables as ELT tools land them, which no one here wrote: scaffolded, loaded, every row counted."""

from __future__ import annotations

import csv
import re
from datetime import datetime
from pathlib import Path

import pytest
import yaml
from ingest_home import ask

from orchestration.ingest.landing import land_file, suffix_of
from orchestration.ingest.loader import LoadReport, load_deliveries
from orchestration.ingest.sampling import take_sample
from orchestration.ingest.scaffold import scaffold_contract
from orchestration.settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def loaded(
    shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Settings, LoadReport, dict[str, int]]:
    """A home into which every table went by its guessed contract; rows that csv counts in each."""
    root = tmp_path_factory.mktemp("landed")
    settings = Settings(home=root / "home", repo_root=root / "project")
    (settings.contracts / "sources").mkdir(parents=True)
    settings.config.mkdir(parents=True)
    sources, counts = [], {}
    for folder in sorted((shared_data / "landed").iterdir()):
        entry = {"name": folder.name, "kind": "elt", "vendor": folder.name, "owner": "data"}
        sources.append({**entry, "description": "As landed."})
        for file in sorted(path for path in folder.iterdir() if suffix_of(path)):
            entity = re.sub(r"[^a-z0-9]+", "_", file.name.split(".")[0].lower())
            with file.open(encoding="utf-8-sig", newline="") as stream:
                count = sum(1 for _ in csv.DictReader(stream))
            if not count:
                continue
            counts[f"{folder.name}/{entity}"] = count
            contract = scaffold_contract(folder.name, entity, take_sample(settings, str(file)))
            path = settings.contracts / "sources" / f"{folder.name}.{entity}.odcs.yaml"
            path.write_text(contract, "utf-8")
            land_file(settings, folder.name, entity, file, datetime(2025, 1, 1))
    (settings.config / "sources.yml").write_text(yaml.safe_dump({"sources": sources}), "utf-8")
    return settings, load_deliveries(settings, None), counts


def test_every_table_is_taken_and_every_row_accounted_for(
    loaded: tuple[Settings, LoadReport, dict[str, int]],
) -> None:
    settings, report, counts = loaded
    assert len(counts) > 100
    assert report.refused == []
    landed = ask(
        settings,
        "select source || '/' || entity, landed_count, accepted_count + quarantined_count"
        " + duplicate_count from ingest.deliveries",
    )
    assert {label: count for label, count, _ in landed} == counts
    assert all(count == total for _, count, total in landed)


def test_what_was_guessed_from_them_fits_them(
    loaded: tuple[Settings, LoadReport, dict[str, int]],
) -> None:
    settings, _, _ = loaded
    assert (
        ask(
            settings,
            "select source, entity, rule, column_name, payload from ingest.quarantine_rows",
        )
        == []
    )
    assert ask(settings, "select * from ingest.drift") == []
