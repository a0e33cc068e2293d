"""Who is told how a step advances: the command line listens, Dagster's own log otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

_listeners: list[Callable[[str], None]] = []


def tell(line: str) -> None:
    """Tell the innermost listener one line; nobody where none listens."""
    if _listeners:
        _listeners[-1](line)


@contextmanager
def listening(listener: Callable[[str], None]) -> Iterator[None]:
    """Have `listener` told everything that steps of this process tell meanwhile."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
