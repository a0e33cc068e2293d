"""What is derived from the source contracts says what they say."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from orchestration.errors import JourneylineError
from orchestration.ingest.contracts import load_contracts
from orchestration.ingest.derived import drifted_files, sync_files
from orchestration.settings import REPO_ROOT, Settings


@pytest.fixture
def project(tmp_path: Path) -> Settings:
    """A copy of what derived files are made of, and of themselves."""
    for part in ("orchestration/config", "dbt_project", "data_contracts"):
        shutil.copytree(REPO_ROOT / part, tmp_path / part)
    return Settings(home=tmp_path / "home", repo_root=tmp_path)


def test_no_derived_file_has_drifted_from_the_contracts(tmp_path: Path) -> None:
    assert drifted_files(Settings(home=tmp_path)) == []


def test_every_contract_has_a_staging_model(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    staging = settings.dbt_project / "models" / "staging"
    contracts = load_contracts(settings)
    assert len(contracts) >= 20
    for source, entity in contracts:
        assert (staging / source / f"stg_{source}__{entity}.sql").exists()


def test_a_changed_meaning_reaches_the_staging_documentation(project: Settings) -> None:
    contract = project.contracts / "sources" / "zendesk.groups.odcs.yaml"
    text = contract.read_text("utf-8")
    contract.write_text(text.replace("description: Name of", "description: Official name of", 1))
    documentation = project.dbt_project / "models" / "staging" / "zendesk" / "_zendesk.yml"
    assert drifted_files(project) == [documentation]
    assert sync_files(project) == [documentation]
    assert "Official name of" in documentation.read_text("utf-8")
    assert drifted_files(project) == []


def test_a_staging_model_may_select_only_what_its_contract_lists(project: Settings) -> None:
    model = project.dbt_project / "models" / "staging" / "zendesk" / "stg_zendesk__groups.sql"
    model.write_text(model.read_text("utf-8").replace("        name,", "        upper(name),"))
    with pytest.raises(JourneylineError) as caught:
        drifted_files(project)
    assert "upper(name)" in caught.value.what
    assert caught.value.where == str(model)


def test_a_feed_without_a_staging_model_is_named(project: Settings) -> None:
    (project.dbt_project / "models" / "staging" / "segment" / "stg_segment__events.sql").unlink()
    with pytest.raises(JourneylineError) as caught:
        drifted_files(project)
    assert "segment/events feeds app_events" in caught.value.what
