"""The writer lock as the steps of one process share it: whoever holds it may take it again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestration.settings import Settings
from orchestration.warehouse import writer_lock

_held: dict[Path, int] = {}


@contextmanager
def writing(
    settings: Settings, *, wait: bool = True, on_wait: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Hold the home's writer lock, or go on when this process holds it already.

    Raises:
        JourneylineError: Another process is writing and `wait` is false.
    """
    if _held.get(settings.home):
        _held[settings.home] += 1
        try:
            yield
        finally:
            _held[settings.home] -= 1
        return
    with writer_lock(settings, wait=wait, on_wait=on_wait):
        _held[settings.home] = 1
        try:
            yield
        finally:
            _held.pop(settings.home, None)
