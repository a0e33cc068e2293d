"""What can be taken over from the release that is served: its files, and what its audit proved.

Belongs here: deciding whether that release is still as it was published, and what changed since.
What of a check is left to be asked then belongs to `orchestration.gate.evidence`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from orchestration.gate.audit import PASSED
from orchestration.gate.contracts import ProductContract
from orchestration.gate.evidence import NO_ROW, Change, Evidence
from orchestration.publish import database, files, journal, manifest
from orchestration.publish.parquet import FOLDER, Served
from orchestration.publish.staging import Staged
from orchestration.settings import Settings


def served_release(settings: Settings, known: Mapping[str, Any]) -> Served | None:
    """The release whose files can be linked; None where there is none or its manifest was edited.

    Args:
        settings: The home folder.
        known: Its manifest; empty where nothing is served yet.
    """
    if not known or _is_as_published(settings) is False:
        return None
    return Served(settings.current.resolve(), known["files"])


def without_broken(served: Served | None) -> Served | None:
    """The same release without the Parquet files that no longer have the bytes it published."""
    if served is None:
        return None
    broken = {
        path
        for path, entry in served.files.items()
        if path.startswith(f"{FOLDER}/") and not _has_bytes(served.folder / path, entry["sha256"])
    }
    sound = {path: entry for path, entry in served.files.items() if path not in broken}
    return replace(served, files=sound) if broken else served


def _has_bytes(path: Path, sha256: str) -> bool:
    return path.is_file() and files.sha256_of(path) == sha256


def evidence(settings: Settings, known: Mapping[str, Any], staged: Staged) -> Evidence | None:
    """What the audit of the served release proved of a candidate.

    Only a manifest with the hash that the journal has of it speaks: a twin or an edited one does
    not, and everything is audited again. So it is by another version of DuckDB.

    Args:
        settings: The home folder.
        known: Manifest of the release that is served; empty where nothing is yet.
        staged: The candidate.
    """
    if not known or not _is_as_published(settings):
        return None
    if known["engine"]["version"] != duckdb.__version__:
        return None
    passed = [check for check in known["checks"] if check["verdict"] == PASSED]
    definitions = {check["name"]: check.get("definition", "") for check in passed}
    changes = {
        contract.table: change
        for contract in staged.contracts
        if (change := _change(settings, known, staged, contract)) is not None
    }
    return Evidence(definitions, changes)


def _is_as_published(settings: Settings) -> bool | None:
    """Whether the served manifest is the one the journal names; None where it names none."""
    release = settings.current.resolve()
    stated = journal.manifest_hash(settings, release.name)
    return None if stated is None else files.sha256_of(release / manifest.FILE_NAME) == stated


def _change(
    settings: Settings, known: Mapping[str, Any], staged: Staged, contract: ProductContract
) -> Change | None:
    """What changed in a table; None where nothing is known of it.

    Rows of files that are no more are read from the release that is served, if they are still what
    it published.
    """
    entry = known["tables"].get(contract.table)
    if entry is None or entry["contract_sha256"] != contract.sha256:
        return None
    release = settings.current.resolve()
    prefix = f"{FOLDER}/{contract.table}/"
    was = {path: e["sha256"] for path, e in known["files"].items() if path.startswith(prefix)}
    parts = [part for part in staged.parts if part.table == contract.table]
    new = [part.month.condition for part in parts if was.get(part.path) != part.sha256]
    now = {part.path: part.sha256 for part in parts}
    gone = sorted(path for path, sha256 in was.items() if now.get(path) != sha256)
    for path in gone:
        if not _has_bytes(release / path, was[path]):
            return None
    kept = sorted(path for path, sha256 in now.items() if was.get(path) == sha256)
    is_view = contract.table in staged.viewed
    return Change(
        rows=" or ".join(f"({condition})" for condition in new) or NO_ROW,
        gone=database.read_files(release, gone) if gone else None,
        kept=database.read_files(staged.folder, kept) if kept and is_view else None,
    )
