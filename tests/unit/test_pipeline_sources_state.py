"""Which changes of sources and contracts leave what was loaded as it is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from orchestration.pipeline.state import configuration_hash, keeps_loaded, sources_state
from orchestration.settings import REPO_ROOT, Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A project of one's own."""
    for part in ("orchestration/config", "data_contracts"):
        shutil.copytree(REPO_ROOT / part, tmp_path / part)
    (tmp_path / "dbt_project").symlink_to(REPO_ROOT / "dbt_project")
    return Settings(home=tmp_path / "home", repo_root=tmp_path)


def enter(settings: Settings, name: str, **fields: object) -> None:
    path = settings.config / "sources.yml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    found = [source for source in document["sources"] if source["name"] == name]
    if not found:
        found = [{"name": name, "kind": "app", "vendor": name, "owner": "us", "description": "-"}]
        document["sources"] += found
    found[0].update(fields)
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


def test_where_a_source_is_fetched_from_changes_nothing_that_is_built(settings: Settings) -> None:
    before = (configuration_hash(settings), sources_state(settings))
    connector = {"kind": "postgresql", "url_from": "CRM", "tables": {"contacts": {"table": "a.b"}}}
    enter(settings, "hubspot", connector=connector, owner="others", description="As before.")
    assert (configuration_hash(settings), sources_state(settings)) == before


def test_more_sources_keep_what_was_loaded_and_build_the_marts_again(settings: Settings) -> None:
    configuration, sources = configuration_hash(settings), sources_state(settings)
    enter(settings, "pipedrive", enabled=True)
    enter(settings, "amplitude")
    assert keeps_loaded(settings, sources)
    assert configuration_hash(settings) != configuration


def test_another_contract_keeps_the_other_tables_and_builds_the_marts_again(
    settings: Settings,
) -> None:
    configuration, sources = configuration_hash(settings), sources_state(settings)
    path = settings.contracts / "sources" / "zendesk.groups.odcs.yaml"
    path.write_text(path.read_text(encoding="utf-8") + "# another one\n", encoding="utf-8")
    assert keeps_loaded(settings, sources)
    assert configuration_hash(settings) != configuration


def test_fewer_sources_and_tables_do_not(settings: Settings) -> None:
    before = sources_state(settings)
    assert not keeps_loaded(settings, "0" * 64)
    contracts = settings.contracts / "sources"
    # Nothing of a source that is off was loaded by its contract.
    (contracts / "pipedrive.persons.odcs.yaml").unlink()
    assert keeps_loaded(settings, before)
    taken = contracts / "zendesk.groups.odcs.yaml"
    whole = taken.read_text(encoding="utf-8")
    taken.unlink()
    assert not keeps_loaded(settings, before)
    taken.write_text(whole, encoding="utf-8")
    assert keeps_loaded(settings, before)
    enter(settings, "zendesk", enabled=False)
    assert not keeps_loaded(settings, before)
