"""Nothing that the flip makes visible can be lost by a power cut.

The model of a crash: a file's bytes are safe from its last fsync on, a folder's entries from the
folder's. At the moment of the flip, and when the publisher returns, everything has to be safe. Each
fsync that is taken out is found.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import publishing
import pytest

from orchestration.publish import files, journal
from orchestration.publish.publisher import publish
from orchestration.settings import Settings


class CrashModel:
    """Remembers when each file and folder was last made durable."""

    def __init__(self, settings: Settings, is_taken_out: Callable[[Path], bool]) -> None:
        self.settings = settings
        self.is_taken_out = is_taken_out
        self.safe_at: dict[int, int] = {}
        self.unsafe: list[str] = []
        self._fsync, self._replace = os.fsync, os.replace

    def fsync(self, descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if not self.is_taken_out(path.relative_to(self.settings.home)):
            self._fsync(descriptor)
            self.safe_at[os.fstat(descriptor).st_ino] = time.time_ns()

    def replace(self, source: str | Path, target: str | Path) -> None:
        if Path(target) == self.settings.current:
            served = self.settings.home / os.readlink(source)
            self.check(served, *served.rglob("*"))
            self.check(self.settings.releases, journal.journal_path(self.settings))
        self._replace(source, target)

    def check(self, *paths: Path) -> None:
        for path in paths:
            stat = path.stat()
            if self.safe_at.get(stat.st_ino, 0) < stat.st_mtime_ns:
                self.unsafe.append(path.name)


def unsafe_at_the_flip(
    folder: Path, patch: pytest.MonkeyPatch, is_taken_out: Callable[[Path], bool]
) -> list[str]:
    settings = publishing.make_home(folder)
    model = CrashModel(settings, is_taken_out)
    with patch.context() as patched:
        patched.setattr(os, "fsync", model.fsync)
        patched.setattr(os, "replace", model.replace)
        publish(settings, "run-1")
    model.check(settings.home)
    return model.unsafe


def test_a_power_cut_after_the_flip_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert unsafe_at_the_flip(tmp_path, monkeypatch, lambda path: False) == []


TAKEN_OUT: dict[str, Callable[[Path], bool]] = {
    "the DuckDB file": lambda path: path.name == "journeyline.duckdb",
    "a Parquet file": lambda path: path.name == "2025-11.parquet",
    "a folder of Parquet": lambda path: path.name == "fct_touchpoints",
    "the manifest": lambda path: path.name == "manifest.json.tmp",
    "the candidate's folder": lambda path: path.name == "candidate",
    "the folder of releases": lambda path: path == Path("releases"),
    "the journal": lambda path: path.name == "journal.ndjson",
    "the home folder": lambda path: path == Path("."),
}


QUICK = {"a folder of Parquet", "the journal", "the home folder"}
CASES = [
    pytest.param(case, id=name, marks=() if name in QUICK else pytest.mark.slow)
    for name, case in TAKEN_OUT.items()
]


@pytest.mark.parametrize("is_taken_out", CASES)
def test_an_fsync_that_is_taken_out_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_taken_out: Callable[[Path], bool]
) -> None:
    assert unsafe_at_the_flip(tmp_path, monkeypatch, is_taken_out)


def test_the_model_sees_every_fsync(tmp_path: Path) -> None:
    """`files.sync` is what the publisher calls, and it calls what the model patches."""
    called: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", called.append)
        files.sync(tmp_path)
    assert len(called) == 1
