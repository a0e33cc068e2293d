"""A candidate: the files of a release before they are one.

Belongs here: building them and proving that they are still what was audited.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from orchestration.errors import JourneylineError
from orchestration.gate.contracts import ProductContract
from orchestration.publish import database, files, parquet
from orchestration.publish.identity_backup import back_up
from orchestration.publish.months import published_sum
from orchestration.settings import Settings

ADDED = {"_checks", "_release"}


@dataclass(frozen=True)
class Staged:
    """What lies in a candidate's folder.

    Args:
        folder: The candidate.
        contracts: One per published table.
        parts: Its Parquet files.
        viewed: Tables that are views over their Parquet.
        fingerprints: Rows and hash of each table in the DuckDB file.
        backup: SHA-256 of each file of the id ledger's backup; no part of the content.
    """

    folder: Path
    contracts: tuple[ProductContract, ...]
    parts: tuple[parquet.Part, ...]
    viewed: frozenset[str]
    fingerprints: database.Fingerprints
    backup: Mapping[str, str] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The DuckDB file."""
        return self.folder / database.FILE_NAME

    @property
    def rows(self) -> dict[str, int]:
        """Rows per published table."""
        counts = dict.fromkeys((contract.table for contract in self.contracts), 0)
        for part in self.parts:
            counts[part.table] += part.rows
        return counts

    @property
    def hashes(self) -> dict[str, str]:
        """SHA-256 per Parquet file."""
        return {part.path: part.sha256 for part in self.parts}

    def paths(self, table: str) -> list[str]:
        """Paths of a table's Parquet files."""
        return [part.path for part in self.parts if part.table == table]


def stage(
    settings: Settings,
    contracts: Sequence[ProductContract],
    folder: Path,
    spill: Path,
    *,
    served: parquet.Served | None = None,
    self_contained_bytes: float = float("inf"),
) -> Staged:
    """Build a candidate of what the warehouse holds, and close its files.

    Args:
        settings: The home folder.
        contracts: One per published table.
        folder: An empty folder for the candidate.
        spill: Folder for what does not fit in memory.
        served: The release whose unchanged files are linked.
        self_contained_bytes: Bytes of Parquet up to which the DuckDB file holds every row.

    Raises:
        JourneylineError: The warehouse or one of its tables is missing.
    """
    with database.warehouse_attached(settings, contracts, spill) as (connection, found):
        parts = parquet.export_tables(connection, contracts, found, folder, served)
        is_large = sum(part.bytes_count for part in parts) > self_contained_bytes
        viewed = frozenset(c.table for c in contracts if c.month_column and is_large)
        exported = _exported(connection, contracts, found, parts, viewed)
        database.build_database(connection, contracts, parts, folder, viewed)
    files.sync_tree(folder / parquet.FOLDER)
    with database.reading(folder / database.FILE_NAME) as connection:
        prints = database.fingerprints(connection, exported)
    backup = back_up(settings, folder)
    return Staged(folder, tuple(contracts), tuple(parts), viewed, prints, backup)


def _exported(
    connection: duckdb.DuckDBPyConnection,
    contracts: Sequence[ProductContract],
    found: parquet.Found,
    parts: Sequence[parquet.Part],
    viewed: frozenset[str],
) -> database.Fingerprints:
    """What each table has to be: the rows that were exported, which the proof compares with.

    A table whose months were told by what its rows carry is read, unless it is a view.
    """
    told: database.Fingerprints = {}
    for contract in contracts:
        if contract.table in viewed:
            continue
        months = [part.month for part in parts if part.table == contract.table]
        totals = [month.total for month in months if month.total is not None]
        rows, total = sum(month.rows for month in months), sum(totals)
        if len(totals) < len(months):
            select = parquet.select_published(contract, found[contract.table])
            rows, total = published_sum(connection, select)
        told[contract.table] = (rows, str(total))
    return told


def prove_unchanged(staged: Staged) -> str:
    """Only `_checks` and `_release` were added to the DuckDB file; gives its SHA-256.

    Raises:
        JourneylineError: Something else changed since the audit.
    """
    database_hash = files.sha256_of(staged.path)
    with database.reading(staged.path) as connection:
        found = database.fingerprints(connection)
        views = connection.execute(
            "select view_name from duckdb_views() where not internal and database_name = "
            "current_database()"
        ).fetchall()
    added = set(found) - set(staged.fingerprints)
    changed = [name for name, value in staged.fingerprints.items() if found.get(name) != value]
    if changed or added != ADDED or {name for (name,) in views} != staged.viewed:
        raise _tampered(staged.folder)
    return database_hash


def require_sealed(
    folder: Path, staged: Staged, database_hash: str, written: Mapping[str, str]
) -> None:
    """Prove, as the last thing before the flip, that a release holds what was audited.

    Args:
        folder: The release, where it will be served.
        staged: The candidate that it was.
        database_hash: SHA-256 of the DuckDB file that was proved.
        written: Text of every other file, such as the manifest, by name.

    Raises:
        JourneylineError: A file has other bytes, is missing, or was added.
    """
    expected = {**staged.hashes, **staged.backup, database.FILE_NAME: database_hash}
    expected |= {name: hashlib.sha256(text.encode()).hexdigest() for name, text in written.items()}
    found = {name: files.sha256_of(folder / name) for name in files.files_under(folder)}
    if found != expected:
        raise _tampered(folder)


def _tampered(folder: Path) -> JourneylineError:
    return JourneylineError(
        "The candidate is not what was audited, so it is not published.",
        str(folder),
        "Nothing else may write under releases/; run again.",
    )
