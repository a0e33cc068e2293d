"""Runs the nightly job inside this process, on the home's own Dagster instance.

The command line and `make run` call it, so that their runs are seen in the UI.
"""

import uuid
from datetime import date

from orchestration.defs.assembly import assemble
from orchestration.defs.automation import JOB, nights_of, range_tags
from orchestration.defs.event_log import open_instance
from orchestration.defs.liveness import bury_dead_runs, let_go
from orchestration.errors import JourneylineError
from orchestration.pipeline.locking import writing
from orchestration.settings import Settings

_WRITTEN_BY = "# Written by Journeyline; without this line the file is yours and stays as it is."
# Nothing calls out. No limit on pools or runs either: what limits writers is the writer lock,
# which dies with its process; a slot would not.
_INSTANCE = f"""{_WRITTEN_BY}
telemetry:
  enabled: false
nux:
  enabled: false
"""


def prepare_instance(settings: Settings) -> None:
    """Write Dagster's instance folder, unless somebody made its configuration their own."""
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    path = settings.dagster_home / "dagster.yaml"
    if not path.exists() or path.read_text(encoding="utf-8").startswith(_WRITTEN_BY):
        path.write_text(_INSTANCE, encoding="utf-8")


def run_nightly_job(settings: Settings, first: date, last: date) -> str:
    """Run the nightly job over a range of nights.

    Args:
        settings: Home and project.
        first: Oldest night that waits.
        last: Last night to take.

    Returns:
        The id of the Dagster run.

    Raises:
        JourneylineError: A step failed; the error is the step's own.
    """
    prepare_instance(settings)
    with writing(settings), open_instance(settings) as instance:
        bury_dead_runs(settings, instance)
        job = assemble(settings).resolve_job_def(JOB)
        run_id = str(uuid.uuid4())
        try:
            result = job.execute_in_process(
                instance=instance,
                run_id=run_id,
                tags=range_tags(nights_of(settings), first, last),
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
        except Exception as error:
            raise _cause(error) from None
        finally:
            let_go(settings, run_id)
        return result.run_id


def _cause(error: BaseException) -> BaseException:
    """The step's own error behind Dagster's wrapping of it."""
    seen: BaseException = error
    while seen.__cause__ is not None and not isinstance(seen, JourneylineError):
        seen = seen.__cause__
    return seen


if __name__ == "__main__":
    prepare_instance(Settings.from_environment())
