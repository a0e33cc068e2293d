"""How an asset writes: announced, alone, timed, seen to be alive, its failures sorted.

Every function that writes the warehouse runs inside `step`. What it writes belongs to
`orchestration.pipeline.steps`.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import dagster as dg

from orchestration.defs.faults import permanent_unless_transient
from orchestration.defs.liveness import hold_life_line
from orchestration.pipeline import state, steps
from orchestration.pipeline.locking import writing
from orchestration.pipeline.progress import tell
from orchestration.settings import Settings

# The name of the pool that every writer is in. It has no limit: the writer lock, which the kernel
# frees when a process dies, keeps writers apart; the slot of a killed run would stay taken.
POOL = "warehouse"


@contextmanager
def step(
    context: dg.AssetExecutionContext, settings: Settings, title: str
) -> Iterator[Callable[[], float]]:
    """Hold the writer lock for one step of the night.

    Args:
        context: The step's context; its log says so where another run is waited for.
        settings: Home and project.
        title: What the step does, for whoever watches.

    Yields:
        The seconds since the step began to write.
    """
    tell(f"{title} …")
    hold_life_line(settings, context.run_id)

    def waits(line: str) -> None:
        context.log.warning(line)
        tell(line)

    with permanent_unless_transient(), writing(settings, on_wait=waits):
        steps.prepare(settings)
        state.require_landing(settings)
        started = time.monotonic()
        yield lambda: round(time.monotonic() - started, 3)


def tag_run(context: dg.AssetExecutionContext, facts: Mapping[str, object]) -> None:
    """Tag the run with what it did, so that the list of runs shows it."""
    tags = {f"journeyline/{name}": str(fact) for name, fact in facts.items()}
    context.instance.add_run_tags(context.run_id, tags)
