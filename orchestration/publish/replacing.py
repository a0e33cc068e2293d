"""Kept releases give way to twins: nothing in a release is edited in place.

Belongs here: letting a set of twins take the place of their originals in one act, and the mended
paths of a home that was moved. A twin is a release of its own with an id of its own; `current`
flips to its twin, then the originals are deleted.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from orchestration import warehouse
from orchestration.publish import database, describing, files, journal, manifest, parquet
from orchestration.publish.finding import release_folders
from orchestration.publish.flipping import STAGING, flip, free_id, recover, used_ids
from orchestration.settings import Settings


@dataclass(frozen=True)
class Twin:
    """A release that takes another's place.

    Args:
        original: The release that goes.
        release_id: The one that comes.
        folder: Where its files are built.
    """

    original: Path
    release_id: str
    folder: Path


@dataclass(frozen=True)
class ReplaceReport:
    """What was replaced.

    Args:
        replaced: New release id per old one.
        current: The release that is served now.
    """

    replaced: dict[str, str]
    current: str | None


def relocate_releases(
    settings: Settings,
    *,
    by: str,
    reason: str,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> ReplaceReport:
    """Give each kept release whose views lead elsewhere a twin with mended paths. Needs the lock.

    Args:
        settings: The home folder, as it stands now.
        by: Who asks for it.
        reason: Why.
        now: The clock of acts.
    """
    recover(settings, now)
    strayed = [folder for folder in release_folders(settings) if strayed_views(folder)]
    twins = name_twins(settings, strayed)
    try:
        for twin in twins:
            _relocate(settings, twin, {t.original.name: t.release_id for t in twins}, now())
        return serve_twins(settings, twins, journal.RELOCATE, {"by": by, "reason": reason}, now)
    finally:
        files.remove_tree(settings.releases / STAGING)


def strayed_views(folder: Path) -> list[str]:
    """Tables of a release that are views over files of another place."""
    tables = manifest.read_manifest(folder)["tables"]
    viewed = sorted(table for table, entry in tables.items() if entry.get("is_view"))
    if not viewed:
        return []
    place = str(folder.resolve() / parquet.FOLDER) + os.sep
    with database.reading(folder / database.FILE_NAME) as connection:
        rows = connection.execute("select view_name, sql from duckdb_views()").fetchall()
    said = {str(name): str(sql) for name, sql in rows}
    return [table for table in viewed if describing.literal(place)[:-1] not in said.get(table, "")]


def name_twins(settings: Settings, originals: Sequence[Path]) -> list[Twin]:
    """A free id and a folder under the staging for the twin of each release."""
    taken = used_ids(settings)
    twins = []
    for original in sorted(originals):
        release_id = free_id(original.name, taken)
        taken.add(release_id)
        twins.append(Twin(original, release_id, settings.releases / STAGING / release_id))
    return twins


def serve_twins(
    settings: Settings,
    twins: Sequence[Twin],
    act: str,
    said: Mapping[str, Any],
    now: Callable[[], datetime],
) -> ReplaceReport:
    """Move finished twins beside the originals, flip to the current one's, delete the originals.

    Args:
        settings: The home folder.
        twins: Finished twins; none means that there is nothing to do.
        act: `erase` or `relocate`.
        said: What else the journal says of it.
        now: The clock of acts.
    """
    current = journal.current_release(settings)
    replaced = {twin.original.name: twin.release_id for twin in twins}
    if not twins:
        return ReplaceReport({}, current)
    for twin in twins:
        files.sync_tree(twin.folder)
        files.make_immutable(twin.folder)
        os.rename(twin.folder, settings.releases / twin.release_id)
        os.chmod(settings.releases / twin.release_id, files.FOLDER_MODE)
    files.sync(settings.releases / STAGING)
    files.sync(settings.releases)
    served = replaced.get(current or "", current or "")
    journal.append_act(
        settings,
        {"act": act, "at": manifest.instant(now()), "release_id": served, "replaced": replaced}
        | dict(said),
    )
    flip(settings, served)
    for twin in twins:
        files.remove_tree(twin.original)
    files.sync(settings.releases)
    return ReplaceReport(replaced, served)


def finish_manifest(
    twin: Twin, replaced: Mapping[str, str], changes: Mapping[str, Any], at: datetime
) -> None:
    """Write a twin's manifest: its original's, but for what changed and the hashes of its files."""
    content = manifest.read_manifest(twin.original)
    previous = content["previous_release_id"]
    content |= {
        "release_id": twin.release_id,
        "previous_release_id": replaced.get(previous, previous),
        "created_at": content["created_at"],
        "replaced_at": manifest.instant(at),
    }
    content |= changes
    stated = dict(content["files"])
    content["files"] = {}
    for name in files.files_under(twin.folder):
        path = twin.folder / name
        entry = {"sha256": files.sha256_of(path), "bytes": path.stat().st_size}
        known = stated.get(name, {})
        is_same = known.get("sha256") == entry["sha256"]
        content["files"][name] = known | entry if is_same else entry
    text = json.dumps(content, indent=2) + "\n"
    files.write_durably(twin.folder / manifest.FILE_NAME, text)


def _relocate(settings: Settings, twin: Twin, replaced: Mapping[str, str], at: datetime) -> None:
    for name in files.files_under(twin.original):
        target = twin.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if name == database.FILE_NAME:
            shutil.copyfile(twin.original / name, target)
        elif name != manifest.FILE_NAME:
            os.link(twin.original / name, target)
    content = manifest.read_manifest(twin.original)
    home = settings.releases / twin.release_id
    with database.standing_at(twin.folder, home):
        connection = warehouse.connect(twin.folder / database.FILE_NAME)
        try:
            connection.execute("begin transaction")
            for table, entry in content["tables"].items():
                if entry.get("is_view"):
                    _mend_view(connection, table, home, content)
            connection.execute("update _release set release_id = ?", [twin.release_id])
            connection.execute("commit")
            connection.execute("checkpoint")
        finally:
            connection.close()
    database.require_closed(twin.folder / database.FILE_NAME)
    finish_manifest(twin, replaced, {"relocates": twin.original.name}, at)


def _mend_view(
    connection: duckdb.DuckDBPyConnection, table: str, home: Path, content: Mapping[str, Any]
) -> None:
    comment = connection.execute(
        "select comment from duckdb_views() where view_name = ?", [table]
    ).fetchone()
    described = connection.execute(
        "select column_name, description from _columns where table_name = ?", [table]
    ).fetchall()
    prefix = f"{parquet.FOLDER}/{table}/"
    paths = sorted(name for name in content["files"] if name.startswith(prefix))
    database.create_view(connection, table, home, paths)
    text = str(comment[0]) if comment and comment[0] else table
    describing.comment(connection, table, text, dict(described), is_view=True)
