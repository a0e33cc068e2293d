"""What all tests share: no setting of the surrounding shell reaches them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestration.settings import REPO_ROOT

_VARIABLES = (
    "JOURNEYLINE_HOME",
    "JOURNEYLINE_PROJECT",
    "JOURNEYLINE_PSEUDONYM_KEY",
    "JOURNEYLINE_LEDGER_KEY",
    "DAGSTER_HOME",
)


@pytest.fixture(autouse=True, scope="session")
def _clean_environment() -> None:
    with pytest.MonkeyPatch.context() as patch:
        for variable in _VARIABLES:
            patch.delenv(variable, raising=False)
        patch.setenv("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data that no one here wrote; tests that need it skip where the folder is absent."""
    given = os.environ.get("JOURNEYLINE_SHARED_DATA")
    folder = Path(given) if given else REPO_ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the folder of real data is absent")
    return folder
