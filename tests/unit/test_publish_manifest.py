"""The manifest keeps its published schema, and says how old each source's data is."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import jsonschema
import publishing
import pytest

from orchestration.gate.operator import Operator
from orchestration.publish.publisher import publish
from orchestration.publish.releases import show_release, stale_sources
from orchestration.publish.replacing import relocate_releases
from orchestration.settings import REPO_ROOT, Settings

SCHEMA = json.loads((REPO_ROOT / "docs" / "manifest.schema.json").read_text())


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = publishing.make_home(tmp_path_factory.mktemp("manifest"))
    source = home.contracts / "sources"
    source.mkdir()
    shutil.copy2(REPO_ROOT / "data_contracts/sources/hubspot.contacts.odcs.yaml", source)
    publishing.change(home, "update ingest.deliveries set source = 'hubspot'")
    publish(home, "run-1")
    return home


def manifest_of(settings: Settings) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((settings.current / "manifest.json").read_text())
    return content


def test_a_manifest_keeps_the_schema_that_is_published_of_it(
    settings: Settings, tmp_path: Path
) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(manifest_of(settings), SCHEMA)
    large = publishing.copy_home(settings, tmp_path)
    path = large.config / "releases.yml"
    path.write_text(path.read_text().replace("gigabytes: 5", "gigabytes: 0"))
    publishing.change(large, "update unify.dim_customers set country = null")
    publish(large, "run-2", operator=Operator("ada", "test"))
    jsonschema.validate(manifest_of(large), SCHEMA)
    moved = publishing.copy_home(large, tmp_path / "moved")
    relocate_releases(moved, by="ada", reason="moved")
    assert "relocates" in manifest_of(moved)
    jsonschema.validate(manifest_of(moved), SCHEMA)


SPOILED: dict[str, Callable[[dict[str, Any]], object]] = {
    "a field is missing": lambda m: m.pop("as_of"),
    "a field is unknown": lambda m: m.update(host="here"),
    "a check has failed": lambda m: m["checks"][0].update(verdict="failed"),
    "a hash is none": lambda m: m["files"]["journeyline.duckdb"].update(sha256="abc"),
    "a time has no zone": lambda m: m.update(created_at="2026-01-05T03:00:00"),
    "a sample of rows": lambda m: m["checks"][0].update(samples=[]),
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED.keys())
def test_the_schema_refuses_what_is_no_manifest(
    settings: Settings, spoil: Callable[[dict[str, Any]], object]
) -> None:
    content = copy.deepcopy(manifest_of(settings))
    spoil(content)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, SCHEMA)


def test_keys_are_declared_in_columns(settings: Settings) -> None:
    with duckdb.connect(str(settings.current / "journeyline.duckdb"), read_only=True) as connection:
        keys = connection.execute(
            "select table_name, column_name, references_column from _columns "
            "where is_key or references_column is not null order by all"
        ).fetchall()
    assert keys == [
        ("_checks", "check_name", None),
        ("_columns", "column_name", None),
        ("_columns", "table_name", None),
        ("_inputs", "delivery_id", None),
        ("_inputs", "entity", None),
        ("_inputs", "source", None),
        ("_release", "release_id", None),
        ("dim_customers", "customer_id", None),
        ("fct_touchpoints", "customer_id", "dim_customers.customer_id"),
        ("fct_touchpoints", "touchpoint_id", None),
    ]


def test_a_source_that_stands_still_is_named_and_stops_nothing(
    settings: Settings, tmp_path: Path
) -> None:
    fresh = show_release(settings)["sources"]["hubspot/contacts"]
    assert (fresh["watermark"], fresh["is_stale"]) == ("2026-01-04T02:00:00Z", False)
    assert fresh["deliveries"] == {"loaded": 1, "refused": 0, "held": 0}
    assert stale_sources(settings) == []
    later = publishing.copy_home(settings, tmp_path)
    publishing.change(later, "update pipeline.clock set as_of = timestamp '2026-03-01'")
    report = publish(later, "run-2")
    assert (report.published, report.checks_warned) == (True, 1)
    (line,) = stale_sources(later)
    assert line.startswith("hubspot/contacts: last good delivery 2026-01-04T02:00:00Z")
    with duckdb.connect(str(later.current / "journeyline.duckdb"), read_only=True) as connection:
        assert connection.execute(
            "select check_name, severity from _checks where verdict = 'warned'"
        ).fetchall() == [("hubspot.contacts.freshness", "warning")]


COPY = (
    "insert into ingest.deliveries select * replace ({}) from ingest.deliveries "
    "where entity = 'contacts'; update pipeline.clock set as_of = timestamp '2026-03-01'"
)


@pytest.mark.parametrize(
    ("change", "is_stale"),
    [
        ("'deals' as entity, timestamp '2026-02-28 12:00:00' as received_at", False),
        ("'deals' as entity, timestamp '2026-02-27 12:00:00' as received_at", True),
        ("'held' as status, timestamp '2026-02-28 12:00:00' as received_at", True),
        ("timestamp '2026-02-28 12:00:00' as received_at", False),
    ],
)
def test_a_table_without_changes_is_not_stale_while_its_source_delivers(
    settings: Settings, tmp_path: Path, change: str, is_stale: bool
) -> None:
    later = publishing.copy_home(settings, tmp_path)
    publishing.change(later, COPY.format(change))
    report = publish(later, "run-2")
    assert report.checks_warned == int(is_stale)
    assert show_release(later)["sources"]["hubspot/contacts"]["is_stale"] is is_stale
