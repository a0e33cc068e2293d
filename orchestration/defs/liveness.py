"""Which runs are alive: a killed one leaves nothing to clean up by hand.

A run holds a kernel lock on a file of its own while its process lives. Dagster's storage cannot
tell a killed run from one that works, so a run that is said to go on although nobody holds its
lock is recorded as failed, and the slots that it held are given back.
"""

import fcntl
import os
from pathlib import Path

import dagster as dg

from orchestration.settings import Settings

_GOING_ON = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]

_life_lines: dict[Path, int] = {}


def hold_life_line(settings: Settings, run_id: str) -> None:
    """Lock the run's file until this process ends or lets go of it."""
    path = _path(settings, run_id)
    if path in _life_lines:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    _life_lines[path] = descriptor


def let_go(settings: Settings, run_id: str) -> None:
    """Unlock and delete the file of a run that ended in this process."""
    path = _path(settings, run_id)
    descriptor = _life_lines.pop(path, None)
    if descriptor is not None:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def bury_dead_runs(settings: Settings, instance: dg.DagsterInstance) -> list[str]:
    """Record as failed every run whose process died.

    Args:
        settings: The home whose runs are looked at.
        instance: The Dagster instance that knows them.

    Returns:
        The ids of the runs that were dead.
    """
    dead = [
        run
        for run in instance.get_runs(filters=dg.RunsFilter(statuses=_GOING_ON))
        if _is_dead(_path(settings, run.run_id))
    ]
    for run in dead:
        instance.report_run_failed(
            run, message="The process of this run died. The last release is still served."
        )
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    for path in _folder(settings).glob("*.lock"):
        if not _is_locked(path):
            path.unlink(missing_ok=True)
    return sorted(run.run_id for run in dead)


def is_writing(settings: Settings) -> bool:
    """Whether some process holds the writer lock at this moment."""
    return _is_locked(settings.home / ".writer.lock")


def _is_dead(path: Path) -> bool:
    """A run without a file has not begun to write, or is not ours to judge."""
    return path.exists() and not _is_locked(path)


def _is_locked(path: Path) -> bool:
    if not path.exists():
        return False
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _folder(settings: Settings) -> Path:
    return settings.dagster_home / "life_lines"


def _path(settings: Settings, run_id: str) -> Path:
    return _folder(settings) / f"{run_id}.lock"
