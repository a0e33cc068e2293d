"""`manifest.json`: who, what, when, from what, which checks.

Belongs here: what a manifest says and the hashes it says it with.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from orchestration.errors import JourneylineError
from orchestration.gate.audit import CheckResult
from orchestration.gate.contracts import ProductContract
from orchestration.publish import files
from orchestration.publish.describing import Release
from orchestration.publish.staging import Staged
from orchestration.settings import Settings

FILE_NAME = "manifest.json"
FORMAT = 1


def content_hash(
    contracts: Sequence[ProductContract],
    parquet_hashes: Mapping[str, str],
    results: Sequence[CheckResult],
) -> str:
    """Hash of the published tables, the product contracts and the verdicts of the checks.

    Tables count as their sorted Parquet. What compares with `current` is left out: it would make
    the same content another one as soon as it is published.
    """
    content = {
        "contracts": {contract.table: contract.sha256 for contract in contracts},
        "parquet": dict(parquet_hashes),
        "verdicts": {r.name: r.verdict for r in results if not r.is_relative},
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def hash_files(paths: Iterable[Path], root: Path) -> str:
    """One hash over files and their names."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def hash_each(settings: Settings) -> dict[str, str]:
    """SHA-256 of each file of the configuration and each contract, by path in the project."""
    paths = [*settings.config.rglob("*.yml"), *settings.contracts.rglob("*.odcs.yaml")]
    root = settings.repo_root
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(paths)
    }


def code_version(repo_root: Path) -> tuple[str | None, bool | None]:
    """Commit of the code and whether files differ from it; nothing outside of a repository."""
    if not (repo_root / ".git").exists():
        return None, None
    commit = _git(repo_root, "rev-parse", "HEAD")
    changes = _git(repo_root, "status", "--porcelain")
    return commit, None if changes is None else bool(changes)


def render(
    release: Release,
    inputs: Sequence[Mapping[str, Any]],
    sources: Mapping[str, Mapping[str, Any]],
    tables: Mapping[str, Mapping[str, Any]],
    hashes: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """The manifest's content.

    Args:
        release: What the release says about itself.
        inputs: One entry per delivery.
        sources: Deliveries, rows, watermark and staleness per source table.
        tables: Rows, schema and hash per published table.
        hashes: SHA-256 and bytes per file of the release, the manifest left out.
    """
    return {
        "format": FORMAT,
        "release_id": release.release_id,
        "content_hash": release.content_hash,
        "previous_release_id": release.previous_release_id,
        "as_of": instant(release.as_of),
        "created_at": instant(release.created_at),
        "run_id": release.run_id,
        "operator": _operator(release),
        "code": {"version": release.code_version, "is_dirty": release.is_code_dirty},
        "configuration_hash": release.configuration_hash,
        "contracts_hash": release.contracts_hash,
        "configuration": release.configuration,
        "engine": {
            "name": "duckdb",
            "version": release.engine_version,
            "storage_version": release.storage_version,
        },
        "sources": dict(sources),
        "inputs": list(inputs),
        "retention": [dict(entry) for entry in release.retention],
        "tables": dict(tables),
        "checks": [_check(result) for result in release.checks],
        "files": dict(hashes),
    }


def describe_tables(staged: Staged, current_rows: Mapping[str, int]) -> dict[str, dict[str, Any]]:
    """Rows, change of rows, schema and content hash per published table."""
    described = {}
    rows = staged.rows
    for contract in staged.contracts:
        schema = [[column.name, column.data_type] for column in contract.columns]
        parts = {part.path: part.sha256 for part in staged.parts if part.table == contract.table}
        described[contract.table] = {
            "rows": rows[contract.table],
            "rows_delta": rows[contract.table] - current_rows.get(contract.table, 0),
            "contract_version": contract.version,
            "contract_sha256": contract.sha256,
            "key": list(contract.key),
            "month_column": contract.month_column,
            "is_view": contract.table in staged.viewed,
            "schema_hash": _digest(schema),
            "content_hash": _digest([schema, sorted(parts.items())]),
        }
    return described


def describe_files(staged: Staged) -> dict[str, dict[str, Any]]:
    """Hash and size of every file of a candidate; what is known of its Parquet besides."""
    entries: dict[str, dict[str, Any]] = {
        part.path: {
            "sha256": part.sha256,
            "bytes": part.bytes_count,
            "rows": part.rows,
            "fingerprint": part.month.fingerprint,
            "is_linked": part.is_linked,
        }
        for part in staged.parts
    }
    for name in files.files_under(staged.folder):
        if name not in entries:
            path = staged.folder / name
            entries[name] = {"sha256": files.sha256_of(path), "bytes": path.stat().st_size}
    return entries


def describe_inputs(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """The row ledger of a candidate, one entry per delivery."""
    cursor = connection.execute(
        "select * from _inputs order by source, entity, delivery_id, file_name"
    )
    names = [column[0] for column in cursor.description]
    return [
        {
            name: instant(value) if isinstance(value, datetime) else value
            for name, value in zip(names, row, strict=True)
        }
        for row in cursor.fetchall()
    ]


def read_manifest(release: Path) -> dict[str, Any]:
    """The manifest of a release.

    Raises:
        JourneylineError: It is missing or cannot be read.
    """
    path = release / FILE_NAME
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise JourneylineError(
            f"The manifest of release {release.name} cannot be read.",
            str(path),
            "Roll back to a release that `journeyline releases verify` accepts.",
        ) from error
    return content


def instant(value: datetime) -> str:
    """A UTC time as text."""
    return value.strftime("%Y-%m-%dT%H:%M:%SZ")


def _operator(release: Release) -> dict[str, Any] | None:
    return None if release.operator is None else asdict(release.operator)


def _check(result: CheckResult) -> dict[str, Any]:
    entry = asdict(result)
    del entry["samples"]
    return entry


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def _git(repo_root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(repo_root), *arguments],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
