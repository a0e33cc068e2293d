"""Publishes one release: all tables or none, audited, immutable, by one flip of a symlink.

Belongs here: the order of the steps. They run under the writer lock. Before the flip nothing
that a reader sees has changed; a run that dies at any step leaves nothing to clean up by hand,
because the next one begins by clearing what is left.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from orchestration.errors import JourneylineError
from orchestration.gate.audit import FAILED, PASSED, WARNED, CheckResult, audit
from orchestration.gate.checks import AuditContext
from orchestration.gate.kpi_bounds import load_kpi_bounds
from orchestration.gate.operator import Operator
from orchestration.gate.refusal import override_failed, refuse_failed
from orchestration.pipeline.locking import writing
from orchestration.privacy.retention import describe_retention
from orchestration.publish import database, files, journal, manifest, proved, quality_page
from orchestration.publish.beginning import (
    contracts_to_serve,
    current_manifest,
    read_as_of,
    rows_of,
)
from orchestration.publish.describing import Release
from orchestration.publish.flipping import STAGING, flip, free_id, recover, used_ids
from orchestration.publish.freshness import describe_sources, load_freshness
from orchestration.publish.parquet import Served
from orchestration.publish.policy import load_policy
from orchestration.publish.quality_page import render_quality_page
from orchestration.publish.staging import Staged, prove_unchanged, require_sealed, stage
from orchestration.settings import Settings

STEPS = (
    "cleared",
    "built",
    "audited",
    "described",
    "proved",
    "manifest_written",
    "made_immutable",
    "moved",
    "journalled",
    "flipped",
)
SAME_CONTENT = "same content"
LEFT_BEHIND = "rolled back"
HELD = "held"


@dataclass(frozen=True)
class PublishReport:
    """What a publication came to.

    Args:
        release_id: The release that is served now; None if there is none.
        published: Whether it is a new one.
        reason: Why nothing was published; empty otherwise.
        checks_passed: Checks that hold.
        checks_failed: Checks of severity error that do not hold (none, or it would have raised).
        checks_warned: Checks of severity warning that do not hold.
        table_rows: Rows per published table of the candidate.
        path: Folder of the release that is served now.
        checks: Every check with its verdict.
    """

    release_id: str | None
    published: bool
    reason: str = ""
    checks_passed: int = 0
    checks_failed: int = 0
    checks_warned: int = 0
    table_rows: dict[str, int] = field(default_factory=dict)
    path: Path | None = None
    checks: tuple[CheckResult, ...] = ()


@dataclass(frozen=True)
class _Candidate:
    staged: Staged
    as_of: datetime
    results: tuple[CheckResult, ...]
    content_hash: str

    @property
    def folder(self) -> Path:
        return self.staged.folder


def publish(
    settings: Settings,
    run_id: str,
    *,
    operator: Operator | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    on_step: Callable[[str], None] = lambda step: None,
) -> PublishReport:
    """Build, audit and publish a release of what the warehouse holds, under the writer lock.

    Args:
        settings: The home folder.
        run_id: The run that asks, for the manifest.
        operator: The person who publishes by hand, perhaps despite failing checks; a person's
            publication also ends a rollback with `--hold`.
        now: The clock of acts; no published table sees it.
        on_step: Told the name of each step of `STEPS` that is done.

    Raises:
        JourneylineError: The gate refused the candidate (exit 3), or it could not be built.
    """
    try:
        with writing(settings):
            try:
                recover(settings, now)
                on_step("cleared")
                return _publish(settings, run_id, operator, now, on_step)
            finally:
                with suppress(OSError):
                    files.remove_tree(settings.releases / STAGING)
    except (
        OSError,
        duckdb.IOException,
        duckdb.FatalException,
        duckdb.TransactionException,
    ) as error:
        raise JourneylineError(
            f"The release could not be written: {error}",
            str(settings.releases),
            "Make room or repair the folder, then run again; the last release is still served.",
        ) from error


def _publish(
    settings: Settings,
    run_id: str,
    operator: Operator | None,
    now: Callable[[], datetime],
    on_step: Callable[[str], None],
) -> PublishReport:
    state = journal.standing(settings)
    if state.is_held and operator is None:
        return _report(settings, None, HELD)
    served = proved.served_release(settings, current_manifest(settings))
    try:
        return _attempt(settings, served, state, run_id, operator, now, on_step)
    except (JourneylineError, duckdb.Error):
        # A served file that rotted was linked: it goes no further, and is written again.
        sound = proved.without_broken(served)
        if sound == served:
            raise
    recover(settings, now)
    return _attempt(settings, sound, state, run_id, operator, now, on_step)


def _attempt(
    settings: Settings,
    served: Served | None,
    state: journal.Standing,
    run_id: str,
    operator: Operator | None,
    now: Callable[[], datetime],
    on_step: Callable[[str], None],
) -> PublishReport:
    candidate = _stage(settings, served, operator, on_step)
    reason = _reason_not_to_publish(settings, state, candidate)
    if reason:
        return _report(settings, candidate, reason)
    release = _describe(settings, candidate, run_id, operator, now())
    on_step("described")
    database_hash = prove_unchanged(candidate.staged)
    on_step("proved")
    written = _write_manifest(settings, candidate, release)
    on_step("manifest_written")
    files.make_immutable(candidate.folder)
    on_step("made_immutable")
    _move(settings, candidate, release)
    on_step("moved")
    target = settings.releases / release.release_id
    require_sealed(target, candidate.staged, database_hash, written)
    act: dict[str, Any] = {"act": journal.PUBLISH, "run_id": run_id}
    act["at"] = manifest.instant(now())
    act |= {"release_id": release.release_id, "content_hash": release.content_hash}
    act["manifest_sha256"] = hashlib.sha256(written[manifest.FILE_NAME].encode()).hexdigest()
    if operator is not None:
        act |= {"by": operator.by, "reason": operator.reason}
        act |= {"despite": list(operator.despite)}
    journal.append_act(settings, act)
    on_step("journalled")
    flip(settings, release.release_id)
    on_step("flipped")
    return _report(settings, candidate, "")


def _stage(
    settings: Settings,
    served: Served | None,
    operator: Operator | None,
    on_step: Callable[[str], None],
) -> _Candidate:
    folder = settings.releases / STAGING / "candidate"
    folder.mkdir(parents=True)
    known: dict[str, Any] = current_manifest(settings)
    contracts = contracts_to_serve(settings, known)
    staged = stage(
        settings,
        contracts,
        folder,
        settings.releases / STAGING / "spill",
        served=served,
        self_contained_bytes=load_policy(settings).self_contained_gigabytes * 10**9,
    )
    on_step("built")
    as_of = read_as_of(settings)
    context = AuditContext(
        rows_of(known), load_kpi_bounds(settings), load_freshness(settings), as_of
    )
    evidence = proved.evidence(settings, known, staged)
    results = override_failed(audit(staged.path, contracts, context, evidence), operator)
    refuse_failed(settings, results)
    on_step("audited")
    content_hash = manifest.content_hash(contracts, staged.hashes, results)
    return _Candidate(staged, as_of, results, content_hash)


def _reason_not_to_publish(
    settings: Settings, state: journal.Standing, candidate: _Candidate
) -> str:
    if candidate.content_hash == current_manifest(settings).get("content_hash"):
        return SAME_CONTENT
    if candidate.content_hash in state.left_behind:
        return LEFT_BEHIND
    return ""


def _describe(
    settings: Settings,
    candidate: _Candidate,
    run_id: str,
    operator: Operator | None,
    at: datetime,
) -> Release:
    version, is_dirty = manifest.code_version(settings.repo_root)
    release = Release(
        release_id=_free_release_id(settings, candidate),
        content_hash=candidate.content_hash,
        previous_release_id=journal.current_release(settings),
        as_of=candidate.as_of,
        created_at=at.replace(tzinfo=None),
        run_id=run_id,
        code_version=version,
        is_code_dirty=is_dirty,
        configuration_hash=manifest.hash_files(
            [*settings.config.rglob("*.yml"), *settings.config.rglob("*.json")], settings.config
        ),
        contracts_hash=manifest.hash_files(
            settings.contracts.rglob("*.odcs.yaml"), settings.contracts
        ),
        configuration=manifest.hash_each(settings),
        engine_version=duckdb.__version__,
        storage_version=database.STORAGE_VERSION,
        checks=candidate.results,
        operator=operator,
        retention=tuple(describe_retention(settings)),
    )
    staged = candidate.staged
    views = {table: staged.paths(table) for table in sorted(staged.viewed)}
    target = settings.releases / release.release_id
    database.describe_release(staged.folder, release, staged.contracts, views, target)
    return release


def _free_release_id(settings: Settings, candidate: _Candidate) -> str:
    name = f"{candidate.as_of:%Y-%m-%dT%H%M%SZ}-{candidate.content_hash[:12]}"
    return free_id(name, used_ids(settings))


def _write_manifest(settings: Settings, candidate: _Candidate, release: Release) -> dict[str, str]:
    """Write the quality page and the manifest; gives the texts."""
    staged = candidate.staged
    with database.reading(staged.path) as connection:
        inputs = manifest.describe_inputs(connection)
    current_rows = rows_of(current_manifest(settings))
    deltas = {table: rows - current_rows.get(table, 0) for table, rows in staged.rows.items()}
    as_of = manifest.instant(release.as_of)
    page = render_quality_page(candidate.results, staged.rows, deltas, as_of)
    files.write_durably(candidate.folder / quality_page.FILE_NAME, page)
    tables = manifest.describe_tables(staged, current_rows)
    sources = describe_sources(inputs, load_freshness(settings), release.as_of)
    content = manifest.render(release, inputs, sources, tables, manifest.describe_files(staged))
    text = json.dumps(content, indent=2) + "\n"
    files.write_durably(candidate.folder / manifest.FILE_NAME, text)
    return {manifest.FILE_NAME: text, quality_page.FILE_NAME: page}


def _move(settings: Settings, candidate: _Candidate, release: Release) -> None:
    target = settings.releases / release.release_id
    os.rename(candidate.folder, target)
    os.chmod(target, files.FOLDER_MODE)
    files.sync(settings.releases / STAGING)
    files.sync(settings.releases)


def _report(settings: Settings, candidate: _Candidate | None, reason: str) -> PublishReport:
    results = candidate.results if candidate else ()
    release_id = journal.current_release(settings)
    return PublishReport(
        release_id=release_id,
        published=not reason,
        reason=reason,
        checks_passed=sum(result.verdict == PASSED for result in results),
        checks_failed=sum(result.verdict == FAILED for result in results),
        checks_warned=sum(result.verdict == WARNED for result in results),
        table_rows=candidate.staged.rows if candidate else {},
        path=settings.releases / release_id if release_id else None,
        checks=results,
    )
