"""No room, no large files, no permission: a clear error, the last release, recovery by itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import publishing
import pytest
import starved
from document import Document

from orchestration.publish.publisher import publish
from orchestration.settings import REPO_ROOT, Settings

TMPFS_BYTES = 24_000_000


@pytest.fixture
def waiting(tmp_path: Path) -> Settings:
    settings = publishing.make_home(tmp_path / "made", touchpoints=30_000)
    publish(settings, "run-1")
    publishing.add_night(settings)
    return settings


def starve(way: str, home: Path, project: Path, *, prefix: tuple[str, ...] = ()) -> dict[str, Any]:
    command = [*prefix, sys.executable, starved.__file__, way, str(home), str(project)]
    environment = {**os.environ, "PYTHONPATH": str(REPO_ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def assert_recovered(told: dict[str, Any], document: Document, proof: str) -> None:
    assert told["told"] is not None
    assert told["told"].startswith("The release could not be written")
    assert "next: Make room or repair the folder" in told["told"]
    assert told["is_served"]
    assert told["published"]
    assert told["left"] == []
    document.add(proof, "a clear error, the last release was served, the next run recovered")


@pytest.mark.slow
def test_a_full_disk_costs_nothing_but_the_new_release(
    waiting: Settings, tmp_path: Path, document: Document
) -> None:
    if os.getuid() != 0:
        pytest.skip("a file system of its own takes root")
    place = tmp_path / "small"
    place.mkdir()
    script = (
        f'mount -t tmpfs -o size={TMPFS_BYTES} tmpfs "{place}" && '
        f'cp -a "{waiting.home}" "{place}/home" && exec "$@"'
    )
    prefix = ("unshare", "-m", "sh", "-c", script, "sh")
    if subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("this machine lets nobody have mounts of their own")
    told = starve("full_disk", place / "home", waiting.repo_root, prefix=prefix)
    assert_recovered(told, document, "A full disk")


@pytest.mark.slow
def test_a_limit_on_the_size_of_files_costs_nothing_but_the_new_release(
    waiting: Settings, document: Document
) -> None:
    told = starve("small_files", waiting.home, waiting.repo_root)
    assert_recovered(told, document, "A limit on the size of files")


@pytest.mark.slow
def test_a_folder_that_may_only_be_read_costs_nothing_but_the_new_release(
    waiting: Settings, tmp_path: Path, document: Document
) -> None:
    if os.getuid() != 0:
        pytest.skip("becoming another user takes root")
    for folder in (tmp_path, *tmp_path.parents):
        if folder == Path(tempfile.gettempdir()).resolve():
            break
        folder.chmod(0o755)
    told = starve("read_only", waiting.home, waiting.repo_root)
    assert_recovered(told, document, "A folder that may only be read")
