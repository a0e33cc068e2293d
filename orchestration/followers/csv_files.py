"""CSV files of a release, safe to open in a spreadsheet.

A text that begins like a formula is executed by spreadsheets: it gets an apostrophe in front. The
files of a release lie in a folder of their own; `current` is flipped to it as the release's is.
"""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from pathlib import Path

from orchestration import warehouse
from orchestration.followers.entries import CsvEntry
from orchestration.publish import database, files
from orchestration.publish.describing import literal

_FORMULA = r"^[=+\-@\t\r]"


def write_release(entry: CsvEntry, folder: Path) -> str:
    """Write the tables of a release and let `current` lead to them; gives the release's id."""
    target = entry.path / folder.name
    if not (target.is_dir() and _current(entry.path) == folder.name):
        entry.path.mkdir(parents=True, exist_ok=True)
        building = entry.path / ".building"
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir()
        _write_tables(entry, folder, building)
        files.sync_tree(building)
        shutil.rmtree(target, ignore_errors=True)
        os.rename(building, target)
        _flip(entry.path, folder.name)
    for other in entry.path.iterdir():
        if other.is_dir() and not other.is_symlink() and other.name != folder.name:
            shutil.rmtree(other)
    return folder.name


def neutralised(column: str, data_type: str) -> str:
    """SQL of a column as it may stand in a spreadsheet."""
    if data_type != "VARCHAR":
        return f'"{column}"'
    return (
        f"case when regexp_matches(\"{column}\", '{_FORMULA}') then '''' || \"{column}\" "
        f'else "{column}" end as "{column}"'
    )


def _write_tables(entry: CsvEntry, folder: Path, target: Path) -> None:
    with closing(warehouse.connect(folder / database.FILE_NAME, read_only=True)) as connection:
        columns: dict[str, list[tuple[str, str]]] = {}
        for table, column, data_type in connection.execute(
            "select table_name, column_name, data_type from duckdb_columns() "
            "where not internal order by table_name, column_index"
        ).fetchall():
            columns.setdefault(str(table), []).append((str(column), str(data_type)))
        for table in entry.tables or [name for name in columns if not name.startswith("_")]:
            selected = ", ".join(neutralised(*column) for column in columns[table])
            path = literal(str(target / f"{table}.csv"))
            connection.execute(f"copy (select {selected} from {table}) to {path} (header)")


def _current(place: Path) -> str | None:
    link = place / "current"
    return os.readlink(link) if link.is_symlink() else None


def _flip(place: Path, name: str) -> None:
    temporary = place / "current.tmp"
    temporary.unlink(missing_ok=True)
    os.symlink(name, temporary)
    os.replace(temporary, place / "current")
    files.sync(place)
