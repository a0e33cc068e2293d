"""What all tests share: no setting of the surrounding shell reaches them."""

from __future__ import annotations

import pytest

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
