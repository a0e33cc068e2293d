"""Looks for texts in everything under a home folder, unpacked as far as it can be."""

from __future__ import annotations

import gzip
import sqlite3
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import duckdb
from backports import zstd

from orchestration import warehouse
from orchestration.settings import Settings


def places_with(settings: Settings, wanted: Iterable[str], without: str = "truth") -> set[str]:
    """Where any of some texts is found, as `path: text`, but for one folder of the home."""
    texts = {text: text.lower() for text in wanted}
    return {
        f"{path.relative_to(settings.home)}: {text}"
        for path in sorted(settings.home.rglob("*"))
        if path.is_file() and not path.is_symlink() and without not in path.parts
        for said in map(str.lower, decoded(path))
        for text, lowered in texts.items()
        if lowered in said
    }


def decoded(path: Path) -> Iterator[str]:
    """A file's bytes, and what they say once they are unpacked."""
    content = path.read_bytes()
    yield content.decode("utf-8", errors="replace")
    if path.suffix == ".gz":
        yield gzip.decompress(content).decode("utf-8", errors="replace")
    elif path.suffix == ".zst":
        yield zstd.decompress(content).decode("utf-8", errors="replace")
    elif path.suffix == ".xlsx":
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                yield archive.read(name).decode("utf-8", errors="replace")
    elif path.suffix == ".parquet":
        yield str(duckdb.read_parquet(str(path)).fetchall())
    elif path.suffix == ".duckdb":
        with closing(warehouse.connect(path, read_only=True)) as connection:
            tables = connection.execute(
                "select schema_name, table_name from duckdb_tables() where not internal"
            ).fetchall()
            for schema, table in tables:
                yield str(connection.execute(f'from "{schema}"."{table}"').fetchall())
    elif path.suffix == ".db":
        with closing(sqlite3.connect(path)) as database:
            yield "\n".join(database.iterdump())
