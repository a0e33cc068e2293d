"""What is derived from the source contracts says what they say."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.ingest.contracts import load_contracts
from orchestration.ingest.derived import drifted_files, require_feeds, sync_files
from orchestration.ingest.speaking import spoken_columns
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


def switch(settings: Settings, source: str, to: str) -> None:
    path = settings.config / "sources.yml"
    before, name, after = path.read_text("utf-8").partition(f"- name: {source}\n")
    old = "true" if to == "false" else "false"
    assert name
    path.write_text(before + name + after.replace(f"enabled: {old}", f"enabled: {to}", 1), "utf-8")


def test_a_vendor_that_is_switched_off_is_no_model_of_dbt(project: Settings) -> None:
    feeds = project.dbt_project / "macros" / "feeds.sql"
    staging = project.dbt_project / "models" / "staging" / "mixpanel" / "_mixpanel.yml"
    assert "stg_mixpanel__events" not in feeds.read_text("utf-8")
    assert "enabled: false" in staging.read_text("utf-8")
    switch(project, "mixpanel", "true")
    assert sync_files(project) == [staging, feeds]
    assert "stg_mixpanel__events" in feeds.read_text("utf-8")
    assert "enabled: false" not in staging.read_text("utf-8")


def test_a_model_that_others_name_stays_while_its_source_is_off(project: Settings) -> None:
    staging = project.dbt_project / "models" / "staging" / "mailchimp" / "_mailchimp.yml"
    switch(project, "mailchimp", "false")
    assert staging in sync_files(project)
    models = yaml.safe_load(staging.read_text("utf-8"))["models"]
    off = {model["name"] for model in models if not model.get("config", {}).get("enabled", True)}
    assert off == {"stg_mailchimp__members"}
    assert "stg_mailchimp__campaigns" in {model["name"] for model in models}


def test_a_run_refuses_feeds_that_are_behind_the_sources(project: Settings) -> None:
    require_feeds(project)
    switch(project, "mixpanel", "true")
    with pytest.raises(JourneylineError) as caught:
        require_feeds(project)
    assert caught.value.exit_code == EXIT_USAGE
    assert "contracts sync" in caught.value.next_step
    sync_files(project)
    require_feeds(project)


@pytest.mark.parametrize(
    ("told", "sql"),
    [
        ({"columns": ["a"]}, "a"),
        ({"columns": ["a", "b"]}, "coalesce(a, b)"),
        ({"columns": ["a", "b"], "joined": True}, "coalesce(a, '') || '/' || coalesce(b, '')"),
        (
            {"columns": ["a"], "words": {"It's": "x"}},
            "case lower(a) when 'it''s' then 'x' else a end",
        ),
        (
            {"columns": ["a"], "words": {"p": "x"}, "otherwise": "y"},
            "case lower(a) when 'p' then 'x' else 'y' end",
        ),
        ({"value": "open"}, "'open'"),
    ],
)
def test_what_a_contract_speaks_becomes_sql(told: dict[str, object], sql: str) -> None:
    assert spoken_columns(Path("c.yaml"), {"column": told}) == {"column": sql}


@pytest.mark.parametrize(
    "told", [{}, {"columns": ["a"], "value": "b"}, {"columns": ["a; drop"]}, {"words": {"a": "b"}}]
)
def test_what_a_contract_cannot_speak_is_named(told: dict[str, object]) -> None:
    with pytest.raises(JourneylineError, match="speaks"):
        spoken_columns(Path("c.yaml"), {"column": told})
