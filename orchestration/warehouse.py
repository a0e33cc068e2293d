"""How the warehouse file is opened, and the one lock that its writers share."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from orchestration.errors import JourneylineError
from orchestration.settings import Settings, memory_limit


def connect(path: Path | str, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB file in UTC, with no extension ever fetched by itself and memory bounded.

    What does not fit is written beside the file, in `<file>.tmp`.
    """
    connection = duckdb.connect(
        str(path),
        read_only=read_only,
        config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"},
    )
    connection.execute(f"set memory_limit = '{memory_limit()}'")
    connection.execute("set preserve_insertion_order = true")
    _begin_session(connection)
    return connection


def beside(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Another connection to the same databases, with transactions of its own."""
    other = connection.cursor()
    _begin_session(other)
    return other


def _begin_session(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("set python_enable_replacements = false")
    connection.execute("set TimeZone = 'UTC'")


def replace_config_tables(
    connection: duckdb.DuckDBPyConnection,
    tables: Mapping[str, str],
    rows: Mapping[str, Sequence[tuple[object, ...]]],
) -> None:
    """Replace tables of schema `config`, all of them or none.

    Args:
        connection: The warehouse, open for writing.
        tables: Column definitions by the table's name.
        rows: Rows by the table's name, in the order of its columns.
    """
    connection.execute("create schema if not exists config")
    connection.execute("begin")
    for name, columns in tables.items():
        connection.execute(f"create or replace table config.{name} ({columns})")
        if rows[name]:
            marks = ", ".join("?" for _ in rows[name][0])
            connection.executemany(f"insert into config.{name} values ({marks})", rows[name])
    connection.execute("commit")


@contextmanager
def writer_lock(
    settings: Settings, *, wait: bool = True, on_wait: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Hold the home's only writer lock; the kernel frees it when the process dies.

    Args:
        settings: The home folder to lock.
        wait: Wait for another writer; otherwise fail at once.
        on_wait: Told one line when there is somebody to wait for.

    Raises:
        JourneylineError: Another writer holds the lock and `wait` is false.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    path = settings.home / ".writer.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 64, 0).decode(errors="replace").strip()
            if not wait:
                raise JourneylineError(
                    f"Another run (process {holder}) is writing.",
                    where=str(path),
                    next_step="Wait for it to end, or leave out --no-wait.",
                ) from None
            if on_wait is not None:
                on_wait(f"waiting for another run (process {holder}) to end …")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)
