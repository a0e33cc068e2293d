"""psycopg reads the PostgreSQL follower while its pointer moves 50 times."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import publishing
import pytest

from orchestration.followers.entries import PostgresEntry
from orchestration.followers.postgresql import serve_release
from orchestration.publish.publisher import publish
from orchestration.settings import Settings

FLIPS = 50
SCHEMA = "jl_psycopg"
READER = Path(__file__).with_name("psycopg_reader.py")
STARTED_WITHIN_SECONDS = 60


@pytest.fixture(scope="module")
def psycopg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has psycopg; the project's own does without."""
    folder = tmp_path_factory.mktemp("psycopg") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    command = [str(python), "-m", "pip", "install", "--quiet", "psycopg[binary]>=3.2,<4"]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("no package registry has psycopg")
    return python


@pytest.mark.slow
def test_no_session_of_psycopg_sees_two_releases(
    home: Settings,
    server: str,
    psycopg: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FOLLOWER_URL", server)
    entry = PostgresEntry.model_validate(
        {"kind": "postgresql", "name": "bi", "url_from": "FOLLOWER_URL", "schema": SCHEMA}
    )
    folders = []
    for number in range(3):
        publishing.change(
            home,
            f"update journey.fct_touchpoints set handling_seconds = {number};"
            f"update unify.dim_customers set country = '{number}'",
        )
        publish(home, f"run-{number}")
        folders.append(home.current.resolve())
    kept = frozenset(folder.name for folder in folders)
    serve_release(entry, folders[0], kept)
    place = tmp_path / "reader"
    place.mkdir()
    reader = subprocess.Popen([str(psycopg), str(READER), server, SCHEMA, str(place)])
    try:
        until = time.monotonic() + STARTED_WITHIN_SECONDS
        while not (place / "started").exists() and time.monotonic() < until:
            time.sleep(0.05)
        for number in range(1, FLIPS + 1):
            folder = folders[number % len(folders)]
            assert serve_release(entry, folder, kept) == folder.name
    finally:
        (place / "stop").touch()
        reader.wait(STARTED_WITHIN_SECONDS)
    counts = json.loads((place / "counts.json").read_text())
    assert (counts["torn"], counts["invalid"]) == (0, 0), counts
    assert counts["sessions"] > FLIPS, counts
    assert counts["releases"] == len(folders), counts
