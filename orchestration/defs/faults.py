"""How a step fails: a transient fault may be tried again, anything else may not."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import duckdb

from orchestration.errors import JourneylineError

TRANSIENT = (ConnectionError, TimeoutError, BlockingIOError, duckdb.IOException)

RETRIES = dg.RetryPolicy(
    max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)


@contextmanager
def permanent_unless_transient() -> Iterator[None]:
    """Turn every error but a transient one into a failure that is not retried."""
    try:
        yield
    except (dg.Failure, *TRANSIENT):
        raise
    except JourneylineError as error:
        raise dg.Failure(
            description=error.what,
            metadata={"where": error.where or "-", "next": error.next_step or "-"},
            allow_retries=False,
        ) from error
    except Exception as error:
        raise dg.Failure(
            description=f"{type(error).__name__}: {error}", allow_retries=False
        ) from error
