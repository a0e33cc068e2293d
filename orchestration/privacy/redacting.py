"""Redacted twins of kept releases: the rows of the erased are gone, aggregates are as published.

Belongs here: which rows of a release name somebody who was erased, and building its twin. They are
found by the keyed hashes of the tombstones alone. A new DuckDB file is written from new Parquet:
deleting rows would leave their bytes in the file.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from orchestration import warehouse
from orchestration.errors import JourneylineError
from orchestration.privacy.handles import CUSTOMER, Privacy, define_ledger_hash
from orchestration.privacy.published_events import EVENT, EVENT_COLUMNS
from orchestration.publish import database, describing, files, manifest, parquet
from orchestration.publish.finding import release_folders
from orchestration.publish.identity_backup import back_up_tombstones
from orchestration.publish.replacing import Twin, finish_manifest, name_twins
from orchestration.settings import Settings

_CUSTOMER_COLUMNS = ("customer_id", "old_customer_id", "other_customer_id")
_TOUCHPOINTS, _SESSIONS = "fct_touchpoints", "fct_sessions"
_DESCRIBING = ("_inputs", "_columns", "_checks", "_release")


def build_twins(settings: Settings, privacy: Privacy, hashes: set[str], at: datetime) -> list[Twin]:
    """Build the twin of each kept release that still names somebody who was erased.

    Args:
        settings: The home folder; its writer lock is held.
        privacy: Which columns name a person.
        hashes: Keyed hashes of everybody who was erased, and of events that went.
        at: When it happens.

    Raises:
        JourneylineError: A twin would not hold together (a key twice, a reference to nobody).
    """
    affected: dict[str, dict[str, str]] = {}
    for folder in release_folders(settings):
        with closing(_opened(settings, folder, hashes)) as connection:
            conditions = _conditions(connection, folder, privacy)
            found = {t: c for t, c in conditions.items() if _has_rows(connection, t, c)}
        if found:
            affected[folder.name] = found
    twins = name_twins(settings, [settings.releases / name for name in affected])
    replaced = {twin.original.name: twin.release_id for twin in twins}
    for twin in twins:
        with closing(_opened(settings, twin.original, hashes)) as connection:
            changes = _build(connection, settings, twin, affected[twin.original.name])
        finish_manifest(twin, replaced, changes, at)
        _require_sound(twin.folder)
    return twins


def _opened(settings: Settings, folder: Path, hashes: set[str]) -> duckdb.DuckDBPyConnection:
    """A connection with the release as `source` and the hashes of the erased."""
    connection = warehouse.connect(":memory:")
    define_ledger_hash(connection, settings)
    connection.execute("create table erased as select unnest(?::text[]) as hash", [sorted(hashes)])
    path = describing.literal(str(folder / database.FILE_NAME))
    connection.execute(f"attach {path} as source (read_only)")
    return connection


def _conditions(
    connection: duckdb.DuckDBPyConnection, folder: Path, privacy: Privacy
) -> dict[str, str]:
    """SQL per published table that is true for rows that name somebody who was erased."""
    owned = {b.owned: domain for domain, b in privacy.belongings.items()}
    owned |= dict.fromkeys(EVENT_COLUMNS, EVENT)
    rows = connection.execute(
        "select table_name, column_name from duckdb_columns() where database_name = 'source'"
    ).fetchall()
    tables = manifest.read_manifest(folder)["tables"]
    conditions: dict[str, list[str]] = {}
    for table, column in rows:
        domain = CUSTOMER if column in _CUSTOMER_COLUMNS else owned.get(column)
        if domain is not None and table in tables:
            prefix = describing.literal(f"{domain}:")
            named = f"ledger_hash({prefix} || {column}) in (select hash from erased)"
            conditions.setdefault(table, []).append(f"coalesce({named}, false)")
    return _with_emptied({table: " or ".join(found) for table, found in conditions.items()})


def _with_emptied(conditions: Mapping[str, str]) -> dict[str, str]:
    """A session of which every touchpoint goes, goes with them."""
    touchpoints = conditions.get(_TOUCHPOINTS)
    if touchpoints is None or _SESSIONS not in conditions:
        return dict(conditions)
    goes = f"select session_id from source.{_TOUCHPOINTS} where {touchpoints}"
    stays = (
        f"select session_id from source.{_TOUCHPOINTS} "
        f"where not ({touchpoints}) and session_id is not null"
    )
    emptied = f"session_id in ({goes}) and session_id not in ({stays})"
    return {**conditions, _SESSIONS: f"{conditions[_SESSIONS]} or ({emptied})"}


def _has_rows(connection: duckdb.DuckDBPyConnection, table: str, condition: str) -> bool:
    row = connection.execute(f"select 1 from source.{table} where {condition} limit 1").fetchone()
    return row is not None


def _build(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    twin: Twin,
    conditions: Mapping[str, str],
) -> dict[str, Any]:
    """Write a twin's files; gives what its manifest says otherwise than its original's."""
    content = manifest.read_manifest(twin.original)
    twin.folder.mkdir(parents=True)
    names = sorted(name for name in content["files"] if name.startswith(f"{parquet.FOLDER}/"))
    rows: dict[str, int] = dict.fromkeys(content["tables"], 0)
    paths: dict[str, list[str]] = {table: [] for table in content["tables"]}
    for name in names:
        table = name.split("/")[1]
        paths[table].append(name)
        rows[table] += _write_part(connection, twin, name, conditions.get(table))
    _copy_rest(twin, content)
    back_up_tombstones(settings, twin.folder)
    _write_database(connection, settings, twin, content, paths)
    hashes = {name: files.sha256_of(twin.folder / name) for name in names}
    tables = {}
    for table, entry in content["tables"].items():
        parts = {name: hashes[name] for name in paths[table]}
        changed = {"rows": rows[table], "content_hash": _digest([entry["schema_hash"], parts])}
        tables[table] = entry | changed if table in conditions else entry
    return {
        "redacts": twin.original.name,
        "content_hash": _digest([content["content_hash"], hashes]),
        "tables": tables,
    }


def _write_part(
    connection: duckdb.DuckDBPyConnection, twin: Twin, name: str, condition: str | None
) -> int:
    """Link a file that names nobody who was erased, or write it without them; gives its rows."""
    source, target = twin.original / name, twin.folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    read = f"read_parquet({describing.literal(str(source))}, hive_partitioning = false)"
    counted = connection.execute(
        f"select count(*), count(*) filter ({condition or 'false'}) from {read}"
    ).fetchone()
    assert counted is not None
    if counted[1] == 0:
        os.link(source, target)
        return int(counted[0])
    connection.execute(
        f"copy (select * from {read} where not ({condition})) "
        f"to {describing.literal(str(target))} (format parquet, compression zstd)"
    )
    return int(counted[0]) - int(counted[1])


def _copy_rest(twin: Twin, content: Mapping[str, Any]) -> None:
    """What else lies in a release is of nobody by name; a page of figures stays as published."""
    for name in content["files"]:
        if not name.startswith(f"{parquet.FOLDER}/") and name != database.FILE_NAME:
            target = twin.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(twin.original / name, target)


def _write_database(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    twin: Twin,
    content: Mapping[str, Any],
    paths: Mapping[str, list[str]],
) -> None:
    path = twin.folder / database.FILE_NAME
    home = settings.releases / twin.release_id
    comments = connection.execute(
        "select table_name, comment from duckdb_tables() where database_name = 'source' "
        "union all select view_name, comment from duckdb_views() where database_name = 'source' "
        "and not internal"
    ).fetchall()
    described = connection.execute(
        "select table_name, column_name, comment from duckdb_columns() "
        "where database_name = 'source' and comment is not null"
    ).fetchall()
    target = describing.literal(str(path))
    connection.execute(f"attach {target} as twin (storage_version '{database.STORAGE_VERSION}')")
    with database.standing_at(twin.folder, home):
        connection.execute("use twin")
        connection.execute("begin transaction")
        for table, entry in content["tables"].items():
            if entry.get("is_view"):
                database.create_view(connection, table, home, paths[table])
            else:
                source = database.read_files(twin.folder, paths[table])
                connection.execute(f"create table main.{table} as select * from {source}")
        for table in _DESCRIBING:
            connection.execute(f"create table main.{table} as select * from source.{table}")
        connection.execute("update _release set release_id = ?", [twin.release_id])
        for table, text in comments:
            columns = {c: said for t, c, said in described if t == table}
            is_view = content["tables"].get(table, {}).get("is_view", False)
            describing.comment(connection, table, text, columns, is_view=is_view)
        connection.execute("commit")
        connection.execute("checkpoint twin")
        connection.execute("use memory")
        connection.execute("detach twin")
    database.require_closed(path)


def _require_sound(folder: Path) -> None:
    """Keys are unique and references lead to rows, by what the release says of its columns."""
    problems = []
    with database.reading(folder / database.FILE_NAME) as connection:
        columns = connection.execute(
            "select table_name, column_name, references_column from _columns "
            "where references_column is not null"
        ).fetchall()
        for table, column, reference in columns:
            target, key = reference.split(".")
            row = connection.execute(
                f"select count(*) from {table} where {column} is not null "
                f"and {column} not in (select {key} from {target} where {key} is not null)"
            ).fetchone()
            if row is not None and row[0]:
                problems.append(f"{row[0]} rows of {table}.{column} lead to nothing in {reference}")
    if problems:
        raise JourneylineError(
            f"The redacted twin of a release does not hold together: {'; '.join(problems)}.",
            str(folder),
            "This is a defect; keep the home folder. No release was replaced.",
        )


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
