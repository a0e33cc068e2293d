"""Dagster's SQLite files, written through one open connection each.

Dagster's own storage opens a file for every event and compiles its statements anew: some six
milliseconds an event, and a run over thirty nights has an event for each asset and night, twice.
Only runs inside this process are written so. The UI, and what it launches, keeps Dagster's own
way, because its live view waits for the file itself to change.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import dagster as dg
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, StaticPool, create_engine, event

from orchestration.settings import Settings

_BUSY_SECONDS = 60


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The home's Dagster instance, for a run inside this process.

    An instance whose `dagster.yaml` names another storage is opened as it is.
    """
    ref = InstanceRef.from_dir(str(settings.dagster_home))
    storage = ref.storage_data
    if storage is not None and storage.class_name == DagsterSqliteStorage.__name__:
        quick = ConfigurableClassData(__name__, QuickSqliteStorage.__name__, storage.config_yaml)
        ref = ref._replace(storage_data=quick)
    return dg.DagsterInstance.from_ref(ref)


class QuickEventLog(SqliteEventLogStorage):
    """The event log, with one connection per file until it is disposed of."""

    def __init__(self, base_dir: str) -> None:
        self._engines: dict[str, Engine] = {}
        super().__init__(base_dir)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            if shard not in self._engines:
                self._engines[shard] = self._opened(shard)
            with self._engines[shard].begin() as connection:
                yield connection

    def _opened(self, shard: str) -> Engine:
        engine = create_engine(
            self.conn_string_for_shard(shard),
            poolclass=StaticPool,
            connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False},
        )

        # With a write-ahead log a killed process loses nothing; a power cut may lose the last
        # events, which are derived.
        @event.listens_for(engine, "connect")
        def wait_less(connection: Any, _: Any) -> None:
            connection.execute("pragma synchronous=normal")

        if shard not in self._initialized_dbs:
            self._initdb(engine)
            self._initialized_dbs.add(shard)
        return engine

    def dispose(self) -> None:
        """Close every file, which moves its log into it."""
        with self._db_lock:
            for engine in self._engines.values():
                engine.dispose()
            self._engines.clear()
        super().dispose()


class QuickSqliteStorage(DagsterSqliteStorage):
    """Dagster's SQLite storage with the quick event log."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        slow = self._event_log_storage
        self._event_log_storage = QuickEventLog(slow._base_dir)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: dict[str, Any]
    ) -> Self:
        """Called by Dagster with what `dagster.yaml` says."""
        return cls(inst_data=inst_data, **config_value)
