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

# What may be missing where the tests run. Any other skip fails `.ci/run`, which sets the variable.
REVIEWED_SKIPS = frozenset(
    [
        "the folder of real data is absent",
        "Debian's chromium and chromium-driver are not installed",
        "PostgreSQL's server programs are not installed (Debian: postgresql)",
        "a file system of its own takes root",
        "this machine lets nobody have mounts of their own",
        "becoming another user takes root",
        "no package registry has psycopg",
        "no package registry has Superset",
        "no package registry has the emulators of Azure's and Google's storage",
    ]
)
_STRICT = "JOURNEYLINE_ONLY_REVIEWED_SKIPS"
_unreviewed: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note the skips that nobody reviewed."""
    if report.skipped and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if reason not in REVIEWED_SKIPS:
            _unreviewed.append(f"{report.nodeid}: {reason}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail where a skip is not on the list."""
    if _unreviewed and os.environ.get(_STRICT) and not hasattr(session.config, "workerinput"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the skips that are not on the list."""
    for skip in _unreviewed:
        terminalreporter.write_line(f"not a reviewed skip: {skip}", red=True)


@pytest.fixture(autouse=True, scope="session")
def _clean_environment() -> None:
    with pytest.MonkeyPatch.context() as patch:
        for variable in _VARIABLES:
            patch.delenv(variable, raising=False)
        patch.setenv("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
        yield


@pytest.fixture(autouse=True)
def _nothing_left_by_another_test(_clean_environment: None) -> None:
    """Where dbt ran in this process, the environment still names its home and its project."""
    for variable in _VARIABLES:
        os.environ.pop(variable, None)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data that no one here wrote; tests that need it skip where the folder is absent."""
    given = os.environ.get("JOURNEYLINE_SHARED_DATA")
    folder = Path(given) if given else REPO_ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the folder of real data is absent")
    return folder
