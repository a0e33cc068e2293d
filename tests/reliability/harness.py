"""Publishers that are killed while readers read."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import publishing
import readers

from orchestration.publish.publisher import publish
from orchestration.publish.releases import verify_release
from orchestration.settings import Settings

STARTED_WITHIN_SECONDS = 60
_READERS = Path(readers.__file__)
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["harness", "orchestration.gate.gx_engine"])


@dataclass
class Figures:
    """What the readers saw, by kind."""

    by_kind: dict[str, dict[str, Any]] = field(default_factory=dict)

    def total(self, name: str) -> int:
        """A count over all kinds."""
        return sum(int(counts[name]) for counts in self.by_kind.values())


@contextmanager
def reading(home: Path, folder: Path, kinds: tuple[str, ...]) -> Iterator[Figures]:
    """Keep readers asking; their counts are there afterwards."""
    folder.mkdir()
    figures = Figures()
    running = [
        subprocess.Popen([sys.executable, str(_READERS), kind, str(home), str(folder)])
        for kind in kinds
    ]
    try:
        yield figures
    finally:
        (folder / "stop").touch()
        for process in running:
            process.wait(STARTED_WITHIN_SECONDS)
    for kind in kinds:
        figures.by_kind[kind] = json.loads((folder / f"{kind}.json").read_text())


def mark(settings: Settings, number: int) -> None:
    """Change every published table, so that each release has a marker of its own."""
    publishing.change(
        settings,
        f"update unify.dim_customers set country = '{number}';"
        f"update unify.fct_identity_history set change = '{number}';"
        f"update journey.fct_touchpoints set handling_seconds = {number}",
    )


def publish_killed(settings: Settings, *, step: str | None = None, after: float = 0) -> int:
    """Publish in a process that is killed with -9, after a step or after seconds.

    Returns:
        Exit code of the process; 0 where it was done before it could be killed.
    """
    process = _context.Process(target=_publish_and_die, args=(settings, step))
    process.start()
    if step is None:
        process.join(after)
        if process.is_alive() and process.pid is not None:
            os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def served_marker(settings: Settings) -> str:
    """The one marker of the release that is served, whose files are all as published."""
    verify_release(settings)
    ask = next(readers.new_connection(settings.home))
    (marker,) = ask()
    return marker


def _publish_and_die(settings: Settings, step: str | None) -> None:
    def die(done: str) -> None:
        if done == step:
            os.kill(os.getpid(), signal.SIGKILL)

    publish(settings, "killed", on_step=die)
