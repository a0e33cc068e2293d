"""A small home that the command line ran, and the UI over it, started as `make ui` starts it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from dagster_ui import DagsterUi

from orchestration.settings import REPO_ROOT, Settings

_STARTS_WITHIN = 180


@pytest.fixture(scope="session")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterUi]:
    """The UI over a demo home with one release; ends with the tests."""
    folder = tmp_path_factory.mktemp("ui")
    settings = Settings(home=folder / "home")
    environment = {
        **os.environ,
        "PYTHONPATH": str(REPO_ROOT),
        "JOURNEYLINE_HOME": str(settings.home),
        "DAGSTER_HOME": str(settings.dagster_home),
    }

    def called(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", *arguments], cwd=REPO_ROOT, env=environment, check=True,
            stdout=subprocess.PIPE, text=True,
        ).stdout  # fmt: skip

    called("orchestration.cli", "demo", "--customers", "200", "--nights", "2")
    run = json.loads(called("orchestration.cli", "run", "--json"))
    called("orchestration.defs.launch")
    port = _free_port()
    log = folder / "dagster.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "dagster", "dev", "-w", "workspace.yaml",
             "-h", "127.0.0.1", "-p", str(port)],
            cwd=REPO_ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    started = DagsterUi(settings, f"http://127.0.0.1:{port}", log, run)
    try:
        _wait(started, process)
        yield started
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(started: DagsterUi, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _STARTS_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"{started.url}/server_info", timeout=5).close()
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.5)
    raise AssertionError(started.log.read_text(encoding="utf-8"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
