"""One small demo company, built once; copies of its home for the tests that change something."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from built_company import CUSTOMERS, DERIVED, NIGHTS, STATE, Built, copy_home

from orchestration import warehouse
from orchestration.demo.company import build_company
from orchestration.pipeline.night import run_nights
from orchestration.settings import REPO_ROOT, Settings


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The demo company, run from landing to its first release. Read only: copy it to change it."""
    folder = tmp_path_factory.mktemp("built")
    settings = Settings(home=folder / "home")
    # The default mess, but for its two bad nights, which these few nights would not reach.
    mess = folder / "mess.yml"
    mess.write_text("drift_night: 2\nmissing_night: 3\n", encoding="utf-8")
    build_company(settings, customers=CUSTOMERS, nights=NIGHTS, seed=7, mess_file=mess)
    return Built(settings, run_nights(settings))


@pytest.fixture
def release(built: Built) -> Iterator[duckdb.DuckDBPyConnection]:
    """The current release's DuckDB file, read-only."""
    connection = warehouse.connect(built.settings.current / "journeyline.duckdb", read_only=True)
    yield connection
    connection.close()


@pytest.fixture
def landed_home(built: Built, tmp_path: Path) -> Settings:
    """A home with the company's deliveries and keys, in which nothing has run."""
    return copy_home(built.settings, tmp_path / "home", STATE)


@pytest.fixture
def built_home(built: Built, tmp_path: Path) -> Settings:
    """A copy of the built home, release included."""
    return copy_home(built.settings, tmp_path / "home", (*STATE, *DERIVED))


@pytest.fixture
def project_copy(tmp_path: Path) -> Callable[[Settings], Settings]:
    """Gives a home a project of its own, so that its configuration can be changed."""

    def copied(settings: Settings) -> Settings:
        root = tmp_path / "project"
        for part in ("orchestration/config", "dbt_project", "data_contracts"):
            shutil.copytree(REPO_ROOT / part, root / part)
        return Settings(home=settings.home, repo_root=root)

    return copied
