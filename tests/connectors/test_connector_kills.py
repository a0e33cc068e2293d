"""A fetch that is killed at any write converges when it is repeated, and lands nothing twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fetch_home import PATIENCE, fetch, landed_records, project_with
from zendesk_api import Zendesk

from orchestration.ingest.landing import list_deliveries
from orchestration.settings import REPO_ROOT, Settings

# Kills the process before the n-th call of what makes a write last or takes it away.
PROGRAM = """
import os, shutil, signal, sys
at = int(sys.argv[1])
count = 0
def counted(write):
    def wrapped(*arguments, **named):
        global count
        count += 1
        if count == at: os.kill(os.getpid(), signal.SIGKILL)
        return write(*arguments, **named)
    return wrapped
import orchestration.connectors.zendesk, orchestration.connectors.run
for name in ("fsync", "rename"): setattr(os, name, counted(getattr(os, name)))
shutil.rmtree = counted(shutil.rmtree)
from orchestration.cli.main import main
main(["sources", "fetch", "zendesk/tickets"])
"""


@pytest.fixture
def zendesk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Zendesk]:
    monkeypatch.setenv("ZENDESK_TOKEN", "s3cret")
    vendor = Zendesk(page=4)
    at = "2025-03-03T10:00:00Z"
    vendor.tables["tickets"] = [{"id": n, "updated_at": at} for n in range(8)]
    yield vendor
    vendor.api.close()


def run(settings: Settings, at: int) -> int:
    environment = {
        **os.environ,
        "JOURNEYLINE_HOME": str(settings.home),
        "JOURNEYLINE_PROJECT": str(settings.repo_root),
        "PYTHONPATH": str(REPO_ROOT),
    }
    command = [sys.executable, "-c", PROGRAM, str(at)]
    return subprocess.run(command, env=environment, capture_output=True, timeout=120).returncode


@pytest.mark.slow
def test_a_fetch_killed_at_every_write_converges(tmp_path: Path, zendesk: Zendesk) -> None:
    entry = {
        "kind": "zendesk",
        "url": zendesk.api.url,
        "auth": {
            "kind": "basic",
            "user": "desk@example.com/token",
            "password_from": "ZENDESK_TOKEN",
        },
        "retry": PATIENCE,
        "tables": {"tickets": {}},
    }
    killed = 0
    for at in range(1, 60):
        settings = project_with(tmp_path / str(at), "zendesk", entry)
        code = run(settings, at)
        if code == 0:
            break
        assert code == -signal.SIGKILL
        killed += 1
        fetch(settings, "zendesk/tickets")
        assert [record["id"] for record in landed_records(settings)] == list(range(8))
        assert len(list_deliveries(settings)) == 1
        folder = settings.connectors / "zendesk" / "tickets"
        assert sorted(path.name for path in folder.iterdir()) == [".lock", "cursor.json"]
    assert code == 0 and killed >= 12
