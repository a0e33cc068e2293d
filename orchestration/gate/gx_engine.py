"""Great Expectations pushed down to one read-only DuckDB file.

Great Expectations has no DuckDB support of its own: results are read after its connection was
closed. One persistent connection cures that. This module belongs to how expectations are run;
which ones are run belongs to `suites`. Importing it costs seconds, so it is imported when needed.
"""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

import great_expectations as gx
import sqlalchemy
from great_expectations.datasource.fluent import SQLDatasource
from great_expectations.execution_engine import SqlAlchemyExecutionEngine

_DATASOURCE = "candidate"


class DuckDBExecutionEngine(SqlAlchemyExecutionEngine):
    """Runs every metric on one connection that stays open for the whole audit."""

    @contextmanager
    def get_connection(self) -> Generator[sqlalchemy.Connection, None, None]:
        """Yield the one connection, opened on first use."""
        if not self._connection:
            self._connection = self.engine.connect()
        yield self._connection


class DuckDBDatasource(SQLDatasource):
    """A Great Expectations data source of type `duckdb`."""

    type: Literal["duckdb"] = "duckdb"  # type: ignore[assignment]

    @property
    def execution_engine_type(self) -> type[SqlAlchemyExecutionEngine]:
        """The engine with the persistent connection."""
        return DuckDBExecutionEngine


@contextmanager
def opened(duckdb_file: Path) -> Iterator[Any]:
    """Open the file read-only as a data source of an ephemeral context, and close all of it after.

    Args:
        duckdb_file: The staged release's DuckDB file.

    Yields:
        The data source; `validate` takes it.
    """
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = DuckDBDatasource(
        name=_DATASOURCE,
        connection_string=f"duckdb:///{duckdb_file}",
        kwargs={
            "connect_args": {
                "read_only": True,
                "config": {
                    "autoinstall_known_extensions": "false",
                    "autoload_known_extensions": "false",
                },
            }
        },
    )
    source = context.data_sources.add_or_update_duckdb(source)
    try:
        yield source
    finally:
        engine = source.get_execution_engine()
        engine.close()
        if engine._connection is not None:
            engine._connection.close()
        engine.engine.dispose()
        source.get_engine().dispose()
        # Cursors in reference cycles keep the file open, and nobody could write it afterwards.
        gc.collect()


def validate(source: Any, table: str, expectations: list[Any]) -> list[Any]:
    """Run one table's expectations as one suite; results come in the order of the expectations.

    Args:
        source: What `opened` yields.
        table: A table of the staged file.
        expectations: Great Expectations' expectation objects, each with a `check` in its `meta`.

    Returns:
        One validation result per expectation.
    """
    asset = source.add_table_asset(name=table, table_name=table)
    batch = asset.add_batch_definition_whole_table("all").get_batch()
    suite = gx.ExpectationSuite(name=table, expectations=expectations)
    outcome = batch.validate(suite, result_format="BOOLEAN_ONLY")
    return list(outcome.results)
