"""How a step fails: a transient fault may be tried again, anything else may not."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import duckdb

from orchestration.errors import JourneylineError

TRANSIENT = (ConnectionError, TimeoutError, BlockingIOError, duckdb.IOException)
# What DuckDB says when another program has the warehouse open for a moment; dbt keeps the words
# of an error and not its class.
_LOCKED_ELSEWHERE = "Could not set lock on file"

RETRIES = dg.RetryPolicy(
    max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)


@contextmanager
def permanent_unless_transient() -> Iterator[None]:
    """Turn every error but a transient one into a failure that is not retried."""
    try:
        yield
    except dg.Failure:
        raise
    except JourneylineError as error:
        raise dg.Failure(
            description=str(error),
            metadata={"where": error.where or "-", "next": error.next_step or "-"},
            allow_retries=is_transient(error),
        ) from error
    except Exception as error:
        if is_transient(error):
            raise
        raise dg.Failure(
            description=f"{type(error).__name__}: {error}", allow_retries=False
        ) from error


def is_transient(error: BaseException) -> bool:
    """Whether the same step may succeed when it is tried again as it is."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, TRANSIENT) or _LOCKED_ELSEWHERE in str(cause):
            return True
        cause = cause.__cause__
    return False
