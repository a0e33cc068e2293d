"""`company.yml` is proved before anything believes it, and dbt counts days in its zone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from orchestration.company import load_company
from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.pipeline.dbt_runner import _vars, project_state
from orchestration.settings import REPO_ROOT, Settings


def project_with(tmp_path: Path, **changes: object) -> Settings:
    """A project whose `company.yml` says something else."""
    config = tmp_path / "orchestration" / "config"
    config.mkdir(parents=True)
    shutil.copytree(REPO_ROOT / "dbt_project", tmp_path / "dbt_project")
    said = yaml.safe_load((REPO_ROOT / "orchestration/config/company.yml").read_text("utf-8"))
    (config / "company.yml").write_text(yaml.safe_dump({**said, **changes}), "utf-8")
    return Settings(home=tmp_path / "home", repo_root=tmp_path)


def test_dbt_is_given_the_zone_of_the_company(tmp_path: Path) -> None:
    usual = Settings(home=tmp_path)
    moved = project_with(tmp_path, reporting_time_zone="Pacific/Auckland")
    assert "Pacific/Auckland" in _vars(moved, None)[1]
    assert project_state(moved) != project_state(usual)


def test_the_projects_own_default_is_the_companys_zone() -> None:
    project = yaml.safe_load((REPO_ROOT / "dbt_project/dbt_project.yml").read_text("utf-8"))
    company = load_company(Settings.from_environment())
    assert project["vars"]["reporting_time_zone"] == company.reporting_time_zone


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reporting_time_zone": "Mars/Olympus"}, "no time zone"),
        ({"reporting_currency": "CHF"}, "list it with a rate of 1"),
        ({"first_night": "yesterday"}, "first_night"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    with pytest.raises(JourneylineError) as refused:
        load_company(project_with(tmp_path, **changes))
    assert refused.value.exit_code == EXIT_USAGE
    assert said in str(refused.value)
