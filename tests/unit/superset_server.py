"""A Superset of its own environment: installed, set up, asked through its API.

The project does without Superset (it needs SQLAlchemy below 2), so nothing here imports it.
"""

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
from contextlib import contextmanager
from pathlib import Path
from typing import Any

STARTED_WITHIN_SECONDS = 120
PASSWORD = "superset-of-a-test"
_CONFIG = """\
SECRET_KEY = "a key of a test, and of nothing else at all"
SQLALCHEMY_DATABASE_URI = "sqlite:///{home}/superset.db"
WTF_CSRF_ENABLED = False
TALISMAN_ENABLED = False
RATELIMIT_ENABLED = False
"""


class NotThere(Exception):
    """No package registry has what Superset needs."""


def install(folder: Path, requirements: list[str]) -> Path:
    """An environment with Superset; its folder of programs.

    Raises:
        NotThere: The registry cannot be reached, or has not all of it.
    """
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    programs = folder / "bin"
    command = [str(programs / "python"), "-m", "pip", "install", "--quiet", *requirements]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise NotThere(done.stderr)
    return programs


@contextmanager
def running(programs: Path, home: Path) -> Iterator[Superset]:
    """A server on a port of loopback, logged in; it is ended with the block."""
    home.mkdir()
    config = home / "superset_config.py"
    config.write_text(_CONFIG.format(home=home), encoding="utf-8")
    environment = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(home),
        "SUPERSET_HOME": str(home),
        "SUPERSET_CONFIG_PATH": str(config),
        "FLASK_APP": "superset",
        "SCARF_ANALYTICS": "false",
    }
    person = ("--firstname", "a", "--lastname", "b", "--email", "a@example.com")
    user = ("--username", "admin", "--password", PASSWORD)
    for arguments in (("db", "upgrade"), ("fab", "create-admin", *user, *person), ("init",)):
        command = [str(programs / "superset"), *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [str(programs / "superset"), "run", "-h", "127.0.0.1", "-p", str(port)]
    with (home / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "--with-threads"], env=environment, stdout=log, stderr=log
        )
        try:
            yield _logged_in(f"http://127.0.0.1:{port}", server, home / "server.log")
        finally:
            # Its threads may be at work still; there is nothing of it to keep.
            server.kill()
            server.wait()


class Superset:
    """A server that somebody is logged in to."""

    def __init__(self, url: str, token: str = "") -> None:
        self._url = url
        self._token = token

    def ask(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """What the API answers to a POST; an answer that is an error fails with its text."""
        request = urllib.request.Request(
            f"{self._url}/api/v1/{path}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                found: dict[str, Any] = json.loads(answer.read())
                return found
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path}: {error.code} {error.read().decode()[:2000]}") from error

    def rows(self, database: int, sql: str) -> list[dict[str, Any]]:
        """The rows of a query of SQL Lab."""
        said = {"database_id": database, "sql": sql, "schema": "main", "runAsync": False}
        found: list[dict[str, Any]] = self.ask("sqllab/execute/", said)["data"]
        return found

    def chart(self, dataset: int, columns: list[str]) -> list[dict[str, Any]]:
        """The rows of a chart over a dataset, asked anew."""
        query = {"columns": columns, "metrics": [], "row_limit": 1000}
        said = {"datasource": {"id": dataset, "type": "table"}, "force": True, "queries": [query]}
        found: list[dict[str, Any]] = self.ask("chart/data", said)["result"][0]["data"]
        return found


def _logged_in(url: str, server: subprocess.Popen[bytes], log: Path) -> Superset:
    until = time.monotonic() + STARTED_WITHIN_SECONDS
    said = {"username": "admin", "password": PASSWORD, "provider": "db"}
    while True:
        try:
            return Superset(url, Superset(url).ask("security/login", said)["access_token"])
        except OSError:
            assert server.poll() is None and time.monotonic() < until, log.read_text()[-2000:]
            time.sleep(0.2)
