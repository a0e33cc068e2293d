"""Measuring: a child process, what it took, and the machine it ran on.

Each measurement is a process of its own, so that memory and CPU time belong to it alone. This
module and its caller import nothing big: on Linux a child's peak memory begins at its parent's.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

MEBIBYTE = 1 << 20
# `ru_maxrss` counts bytes on macOS, kibibytes elsewhere.
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Measurement:
    """What one process took.

    Args:
        name: What was measured.
        seconds: Wall time, start of the interpreter included.
        cpu_seconds: User and system time of all its threads.
        peak_bytes: The most memory it held at once.
        facts: What the process said of its work, such as row counts.
    """

    name: str
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    facts: Mapping[str, Any] = field(default_factory=dict)


def measured(
    name: str,
    module: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    limit_bytes: int,
) -> Measurement:
    """Run `python -m module arguments --facts FILE` in a process of its own.

    Args:
        name: Name of the measurement.
        module: A module that writes what it has to say, as JSON, into the file.
        arguments: Its arguments.
        environment: Variables added to this process's own.
        limit_bytes: Address space it may use; more than that fails the measurement.

    Raises:
        RuntimeError: The process failed; its output ends the message.
    """
    with tempfile.TemporaryDirectory(prefix="journeyline-bench-") as folder:
        facts = Path(folder) / "facts.json"
        output = Path(folder) / "output.txt"
        command = [sys.executable, "-m", module, *arguments, "--facts", str(facts)]
        started = time.monotonic()
        with output.open("wb") as stream:
            process = subprocess.Popen(
                command,
                env={**os.environ, **environment},
                stdout=stream,
                stderr=subprocess.STDOUT,
                preexec_fn=_limited(limit_bytes),
            )
            _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            told = output.read_text(encoding="utf-8", errors="replace")[-2000:].strip()
            raise RuntimeError(
                f"{name} failed with exit code {process.returncode} "
                f"(limit {limit_bytes >> 20} MiB).\nwhere: {' '.join(command)}\nnext: {told}"
            )
        return Measurement(
            name=name,
            seconds=seconds,
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            peak_bytes=usage.ru_maxrss * _MAXRSS_UNIT,
            facts=json.loads(facts.read_text(encoding="utf-8")) if facts.exists() else {},
        )


def cpu_spent() -> float:
    """CPU seconds of this process so far, its threads' among them."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def machine() -> str:
    """Cores, memory and system in one line, without the machine's name."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (1 << 30)
    cores = os.cpu_count() or 1
    return f"{cores} cores, {memory:.0f} GiB of memory, {platform.system()} {platform.machine()}"


def versions(packages: Sequence[str]) -> str:
    """Versions of Python and of some packages in one line."""
    told = [f"{package} {metadata.version(package)}" for package in packages]
    return ", ".join([f"Python {platform.python_version()}", *told])


def _limited(limit_bytes: int) -> Callable[[], None]:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))

    return limit
