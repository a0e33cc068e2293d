"""What the linter puts for a dispatched macro: a call of its name."""

from collections.abc import Callable


def dispatch(name: str, package: str = "") -> Callable[..., str]:
    """A function that writes a call of the macro, whatever it is given."""
    return lambda *values, **named: f"{name}(null)"
