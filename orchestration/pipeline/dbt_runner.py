"""Runs dbt inside this process, with everything it writes under the home folder.

What belongs here: how dbt is called, what of its results the pipeline reads, and how its
connections are closed. Which models run when is the night's business (`night.py`).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.company import load_company
from orchestration.errors import JourneylineError
from orchestration.settings import Settings

Progress = Callable[[str], None]

_FAILED = frozenset({"error", "fail", "runtime error", "partial success"})
_SHOWN_FAILURES = 5
_SOURCE_SUFFIXES = frozenset({".sql", ".yml", ".yaml", ".csv", ".md"})
_DERIVED_FOLDERS = frozenset({"target", "logs", "dbt_packages"})

# Parsing costs seconds and depends on the project alone: one parse serves every call of a process.
_parsed: dict[str, Any] = {}


@dataclass(frozen=True)
class NodeResult:
    """What became of one dbt node.

    Args:
        unique_id: dbt's name of the node.
        name: Its short name.
        resource_type: `model`, `test`, `unit_test`, `seed` or `snapshot`.
        status: dbt's word: `success`, `pass`, `warn`, `skipped`, `error` or `fail`.
        message: dbt's message, empty when there is none.
        failures: Failing rows of a test, else None.
        seconds: Time it took.
    """

    unique_id: str
    name: str
    resource_type: str
    status: str
    message: str
    failures: int | None
    seconds: float

    @property
    def failed(self) -> bool:
        """Whether the node stops the run."""
        return self.status in _FAILED


def run_dbt(
    settings: Settings,
    args: Sequence[str],
    variables: Mapping[str, Any] | None = None,
    *,
    progress: Progress | None = None,
    on_result: Callable[[NodeResult], None] | None = None,
) -> list[NodeResult]:
    """Run one dbt command and close every connection it opened.

    Args:
        settings: Home and project to run in.
        args: The command and its own options, such as `["build", "--select", "tag:x"]`.
        variables: Values of dbt variables.
        progress: Told one line for each finished model.
        on_result: Given every result, before a failure is raised.

    Returns:
        One result per node that ran, in dbt's order.

    Raises:
        JourneylineError: A model or test failed, or the project cannot be parsed.
    """
    manifest = parsed_manifest(settings)
    outcome = _invoke(settings, [*args, *_vars(settings, variables)], manifest, _on_event(progress))
    results = [_node_result(result) for result in getattr(outcome.result, "results", None) or []]
    if on_result is not None:
        for result in results:
            on_result(result)
    if not outcome.success:
        raise _failure(settings, args, results, outcome.exception)
    return results


def parsed_manifest(settings: Settings) -> Any:
    """dbt's manifest of the project, parsed once for each state of its files.

    Also leaves `manifest.json` in the home's dbt folder, for whoever needs the lineage.
    """
    state = project_state(settings)
    if state not in _parsed:
        outcome = _invoke(settings, ["parse", *_vars(settings, None)], None, None)
        if not outcome.success:
            raise _failure(settings, ["parse"], [], outcome.exception)
        _parsed.clear()
        _parsed[state] = outcome.result
        (settings.dbt_target / "manifest.state").write_text(state, encoding="ascii")
    return _parsed[state]


def ensure_manifest(settings: Settings) -> Path:
    """The path of a `manifest.json` no older than the project's files, built where needed."""
    path = settings.dbt_target / "manifest.json"
    recorded = settings.dbt_target / "manifest.state"
    state = project_state(settings)
    current = path.exists() and recorded.exists() and recorded.read_text("ascii") == state
    if not current:
        _parsed.pop(state, None)
        parsed_manifest(settings)
    return path


def project_state(settings: Settings) -> str:
    """A hash of the dbt project's files (names and contents) and of the variables it is given."""
    digest = hashlib.sha256(json.dumps(_vars(settings, None)).encode())
    for path in sorted(settings.dbt_project.rglob("*")):
        parts = path.relative_to(settings.dbt_project).parts
        if path.suffix in _SOURCE_SUFFIXES and not _DERIVED_FOLDERS.intersection(parts):
            digest.update("/".join(parts).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _vars(settings: Settings, variables: Mapping[str, Any] | None) -> list[str]:
    """dbt's variables: what `company.yml` says before the project's own defaults."""
    company = {"reporting_time_zone": load_company(settings).reporting_time_zone}
    return ["--vars", json.dumps({**company, **(variables or {})}, sort_keys=True)]


def _invoke(
    settings: Settings,
    args: Sequence[str],
    manifest: Any,
    on_event: Callable[[Any], None] | None,
) -> Any:
    from dbt.cli.main import dbtRunner

    settings.dbt_target.mkdir(parents=True, exist_ok=True)
    os.environ["JOURNEYLINE_HOME"] = str(settings.home)
    os.environ["JOURNEYLINE_PROJECT"] = str(settings.repo_root)
    runner = dbtRunner(manifest=manifest, callbacks=[on_event] if on_event else [])
    try:
        return runner.invoke(
            [
                *("--no-send-anonymous-usage-stats", "--no-version-check", "--no-use-colors"),
                *("--log-level", "none", "--log-level-file", "info", "--no-print"),
                *("--log-path", str(settings.dbt_target / "logs")),
                *args,
                *("--project-dir", str(settings.dbt_project)),
                *("--profiles-dir", str(settings.dbt_project)),
                *("--target-path", str(settings.dbt_target)),
            ]
        )
    finally:
        _close_connections()


def _close_connections() -> None:
    """Close what dbt leaves open: a handle for writing would refuse later readers."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.adapters.factory import reset_adapters

    environment = DuckDBConnectionManager._ENV
    if environment is not None:
        environment.close()
    DuckDBConnectionManager.close_all_connections()
    reset_adapters()


def _on_event(progress: Progress | None) -> Callable[[Any], None] | None:
    if progress is None:
        return None

    def told(event: Any) -> None:
        if event.info.name == "LogModelResult":
            node = event.data.node_info
            progress(f"{node.node_relation.schema}.{node.node_name}")

    return told


def _node_result(result: Any) -> NodeResult:
    return NodeResult(
        unique_id=result.node.unique_id,
        name=result.node.name,
        resource_type=str(result.node.resource_type),
        status=str(result.status),
        message=str(result.message or ""),
        failures=result.failures,
        seconds=float(result.execution_time or 0.0),
    )


def _failure(
    settings: Settings,
    args: Sequence[str],
    results: Sequence[NodeResult],
    exception: BaseException | None,
) -> JourneylineError:
    log = settings.dbt_target / "logs" / "dbt.log"
    failed = [result for result in results if result.failed]
    if not failed:
        return JourneylineError(
            f"dbt {args[0]} failed: {str(exception or 'no result').strip()}",
            where=str(settings.dbt_project),
            next_step=f"Correct the project; the log is {log}.",
        )
    told = "; ".join(
        f"{result.resource_type} {result.name}: {' '.join(result.message.split())}"
        for result in failed[:_SHOWN_FAILURES]
    )
    more = f"; and {len(failed) - _SHOWN_FAILURES} more" if len(failed) > _SHOWN_FAILURES else ""
    return JourneylineError(
        f"dbt {args[0]} failed in {len(failed)} node(s): {told}{more}",
        where=str(settings.warehouse),
        next_step=f"The log is {log}; repair and type `journeyline run` again. "
        "The last release stays.",
    )
