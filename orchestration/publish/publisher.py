"""Publishes one release: all tables or none, audited, immutable, by one flip of a symlink.

Belongs here: the order of the steps. The caller holds the writer lock. Before the flip nothing
that a reader sees has changed; a run that dies at any step leaves nothing to clean up by hand,
because the next one begins by clearing what is left.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from orchestration.errors import JourneylineError
from orchestration.gate.audit import FAILED, PASSED, WARNED, CheckResult, audit
from orchestration.gate.checks import AuditContext
from orchestration.gate.contracts import ProductContract, load_product_contracts
from orchestration.gate.kpi_bounds import load_kpi_bounds
from orchestration.gate.refusal import refuse_failed
from orchestration.publish import database, files, journal, manifest, parquet
from orchestration.publish.describing import Release
from orchestration.publish.flipping import STAGING, flip, recover, served_ids
from orchestration.settings import Settings

STEPS = (
    "cleared",
    "built",
    "exported",
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
    folder: Path
    contracts: tuple[ProductContract, ...]
    as_of: datetime
    rows: dict[str, int]
    parquet_hashes: dict[str, str]
    results: tuple[CheckResult, ...]
    fingerprints: database.Fingerprints
    content_hash: str


def publish(
    settings: Settings,
    run_id: str,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    on_step: Callable[[str], None] = lambda step: None,
) -> PublishReport:
    """Build, audit and publish a release of what the warehouse holds. Needs the writer lock.

    Args:
        settings: The home folder.
        run_id: The run that asks, for the manifest.
        now: The clock of acts; no published table sees it.
        on_step: Told the name of each step of `STEPS` that is done.

    Raises:
        JourneylineError: The gate refused the candidate (exit 3), or it could not be built.
    """
    recover(settings, now)
    on_step("cleared")
    state = journal.standing(settings)
    if state.is_held:
        return _report(settings, None, HELD)
    try:
        candidate = _stage(settings, on_step)
        reason = _reason_not_to_publish(settings, state, candidate)
        if reason:
            return _report(settings, candidate, reason)
        release = _describe(settings, candidate, run_id, now())
        on_step("described")
        _prove_unchanged(candidate)
        on_step("proved")
        _write_manifest(settings, candidate, release)
        on_step("manifest_written")
        files.make_immutable(candidate.folder)
        on_step("made_immutable")
        _move(settings, candidate, release)
        on_step("moved")
        act = {"act": journal.PUBLISH, "at": manifest.instant(now()), "run_id": run_id}
        act |= {"release_id": release.release_id, "content_hash": release.content_hash}
        journal.append_act(settings, act)
        on_step("journalled")
        flip(settings, release.release_id)
        on_step("flipped")
        return _report(settings, candidate, "")
    except (OSError, duckdb.IOException) as error:
        raise JourneylineError(
            f"The release could not be written: {error}",
            str(settings.releases),
            "Make room or repair the folder, then run again; the last release is still served.",
        ) from error
    finally:
        files.remove_tree(settings.releases / STAGING)


def _stage(settings: Settings, on_step: Callable[[str], None]) -> _Candidate:
    folder = settings.releases / STAGING / "candidate"
    folder.mkdir(parents=True)
    contracts = load_product_contracts(settings.contracts / "products")
    path = folder / database.FILE_NAME
    database.build_database(settings, contracts, path, settings.releases / STAGING / "spill")
    on_step("built")
    known: dict[str, Any] = _current_manifest(settings)
    with database.reading(path) as connection:
        parquet.export_tables(connection, contracts, folder)
        prints = database.fingerprints(connection)
    current = settings.current.resolve() if settings.current.is_symlink() else None
    stated = {name: entry["sha256"] for name, entry in known.get("files", {}).items()}
    hashes = parquet.link_unchanged(folder, current, stated)
    files.sync_tree(folder / parquet.FOLDER)
    on_step("exported")
    context = AuditContext(_current_rows(known), load_kpi_bounds(settings))
    results = tuple(audit(path, contracts, context))
    refuse_failed(settings, results)
    on_step("audited")
    return _Candidate(
        folder=folder,
        contracts=contracts,
        as_of=_as_of(settings),
        rows={contract.table: prints[contract.table][0] for contract in contracts},
        parquet_hashes=hashes,
        results=results,
        fingerprints=prints,
        content_hash=manifest.content_hash(contracts, hashes, results),
    )


def _reason_not_to_publish(
    settings: Settings, state: journal.Standing, candidate: _Candidate
) -> str:
    if candidate.content_hash == _current_manifest(settings).get("content_hash"):
        return SAME_CONTENT
    if candidate.content_hash in state.left_behind:
        return LEFT_BEHIND
    return ""


def _describe(settings: Settings, candidate: _Candidate, run_id: str, at: datetime) -> Release:
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
        engine_version=duckdb.__version__,
        storage_version=database.STORAGE_VERSION,
        checks=candidate.results,
    )
    database.describe_release(candidate.folder / database.FILE_NAME, release)
    return release


def _free_release_id(settings: Settings, candidate: _Candidate) -> str:
    name = f"{candidate.as_of:%Y-%m-%dT%H%M%SZ}-{candidate.content_hash[:12]}"
    taken = served_ids(settings)
    suffixes = (f"{name}-{number}" for number in range(2, len(taken) + 3))
    return name if name not in taken else next(s for s in suffixes if s not in taken)


def _prove_unchanged(candidate: _Candidate) -> None:
    """Only `_checks` and `_release` were added, and the Parquet is what was exported."""
    with database.reading(candidate.folder / database.FILE_NAME) as connection:
        found = database.fingerprints(connection)
    added = set(found) - set(candidate.fingerprints)
    changed = [name for name, value in candidate.fingerprints.items() if found.get(name) != value]
    hashes = {
        name: files.sha256_of(candidate.folder / name)
        for name in files.files_under(candidate.folder)
        if name.startswith(f"{parquet.FOLDER}/")
    }
    if changed or added != {"_checks", "_release"} or hashes != candidate.parquet_hashes:
        raise JourneylineError(
            "The candidate is not what was audited, so it is not published.",
            str(candidate.folder),
            "Nothing else may write under releases/; run again.",
        )


def _write_manifest(settings: Settings, candidate: _Candidate, release: Release) -> None:
    path = candidate.folder / database.FILE_NAME
    with database.reading(path) as connection:
        inputs = manifest.describe_inputs(connection)
    hashes = {
        name: {
            "sha256": files.sha256_of(candidate.folder / name),
            "bytes": (candidate.folder / name).stat().st_size,
        }
        for name in files.files_under(candidate.folder)
    }
    current_rows = _current_rows(_current_manifest(settings))
    tables = manifest.describe_tables(
        candidate.contracts, candidate.rows, candidate.parquet_hashes, current_rows
    )
    content = manifest.render(release, inputs, tables, hashes)
    files.write_durably(candidate.folder / manifest.FILE_NAME, json.dumps(content, indent=2) + "\n")


def _move(settings: Settings, candidate: _Candidate, release: Release) -> None:
    target = settings.releases / release.release_id
    os.rename(candidate.folder, target)
    os.chmod(target, files.FOLDER_MODE)
    files.sync(settings.releases / STAGING)
    files.sync(settings.releases)


def _as_of(settings: Settings) -> datetime:
    with database.reading(settings.warehouse) as connection:
        row = connection.execute("select max(as_of) from pipeline.clock").fetchone()
    if row is None or row[0] is None:
        raise JourneylineError(
            "Nothing was loaded yet, so there is nothing to publish.",
            str(settings.warehouse),
            "Land a delivery, or make a demo company with `journeyline demo`, then run.",
        )
    as_of: datetime = row[0]
    return as_of


def _current_manifest(settings: Settings) -> dict[str, Any]:
    if not settings.current.is_symlink():
        return {}
    return manifest.read_manifest(settings.current.resolve())


def _current_rows(known: dict[str, Any]) -> dict[str, int]:
    return {table: int(entry["rows"]) for table, entry in known.get("tables", {}).items()}


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
        table_rows=candidate.rows if candidate else {},
        path=settings.releases / release_id if release_id else None,
        checks=results,
    )
