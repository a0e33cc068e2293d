"""Great Expectations pushed down to one read-only DuckDB file.

Great Expectations has no DuckDB support of its own: results are read after its connection was
closed. One persistent connection cures that. Belongs here: checks as expectations, and running
them; which checks there are belongs to `checks`. Importing it costs seconds: import it when needed.
"""

from __future__ import annotations

import gc
import logging
import os
from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

import great_expectations as gx
import great_expectations.expectations as gxe
import sqlalchemy
from great_expectations.datasource.fluent import SQLDatasource
from great_expectations.execution_engine import SqlAlchemyExecutionEngine

from orchestration.gate.checks import Check
from orchestration.settings import memory_limit

_DATASOURCE = "candidate"
_OWN_KINDS = ("not_null", "in_set", "in_range")


class DuckDBExecutionEngine(SqlAlchemyExecutionEngine):  # type: ignore[misc]
    """Runs every metric on one connection that stays open for the whole audit."""

    _connection: sqlalchemy.Connection | None

    @contextmanager
    def get_connection(self) -> Generator[sqlalchemy.Connection, None, None]:
        """Yield the one connection, opened on first use."""
        if not self._connection:
            self._connection = self.engine.connect()
        yield self._connection


class DuckDBDatasource(SQLDatasource):  # type: ignore[misc]
    """A Great Expectations data source of type `duckdb`."""

    type: Literal["duckdb"] = "duckdb"

    @property
    def execution_engine_type(self) -> Any:
        """The engine with the persistent connection."""
        return DuckDBExecutionEngine


class BrokenRowsExpectation(gxe.UnexpectedRowsExpectation):  # type: ignore[misc]
    """Holds where a query finds no row; the query is run once, where GX's own runs it twice."""

    metric_dependencies: ClassVar[tuple[str, ...]] = ("unexpected_rows_query.row_count",)

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: Any = None,
    ) -> dict[str, bool]:
        return {"success": metrics["unexpected_rows_query.row_count"] == 0}


@contextmanager
def opened(duckdb_file: Path) -> Iterator[Any]:
    """Open the file read-only as a data source of an ephemeral context, and close all of it after.

    Args:
        duckdb_file: The staged release's DuckDB file.

    Yields:
        The data source; `validate` takes it.
    """
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    # What is there already is none of the audit's: the collection at the end passes it over.
    gc.freeze()
    try:
        yield from _opened(duckdb_file)
    finally:
        # Cursors in reference cycles keep the file open, and nobody could write it afterwards.
        gc.collect()
        gc.unfreeze()


def _opened(duckdb_file: Path) -> Iterator[Any]:
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
                    "memory_limit": memory_limit(),
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


def expectation(check: Check) -> Any:
    """The expectation that answers the check in SQL.

    Nulls, sets and ranges are GX's own, which it bundles into one query a table; whatever compares
    rows is the check's own query, because GX's unique check takes seconds on millions of rows.
    """
    meta = {"check": check.name}
    column = check.column
    if column is not None and check.kind == "not_null":
        return gxe.ExpectColumnValuesToNotBeNull(column=column.name, meta=meta)
    if column is not None and check.kind == "in_set":
        return gxe.ExpectColumnValuesToBeInSet(
            column=column.name, value_set=list(column.allowed or ()), meta=meta
        )
    if column is not None and check.kind == "in_range":
        return gxe.ExpectColumnValuesToBeBetween(
            column=column.name, min_value=column.minimum, max_value=column.maximum, meta=meta
        )
    query = check.failing_rows.replace("{", "{{").replace("}", "}}")
    # GX warns of a query that does not name its batch; a batch is always the whole table here.
    query = f"{query} /* {{batch}} */"
    return BrokenRowsExpectation(unexpected_rows_query=query, meta=meta)


def validate(source: Any, checks: Sequence[Check]) -> list[Any]:
    """Run checks: those that are GX's own as one suite a table, queries as one suite of all.

    Args:
        source: What `opened` yields.
        checks: Checks of tables that the staged file has.

    Returns:
        One validation result per check, in any order; its `meta` names the check.
    """
    suites: dict[str, list[Check]] = defaultdict(list)
    for check in checks:
        suites[_batch_of(check)].append(check)
    results = []
    for number, (query, of_query) in enumerate(suites.items()):
        asset = source.add_query_asset(name=str(number), query=query)
        batch = asset.add_batch_definition_whole_table("all").get_batch()
        suite = gx.ExpectationSuite(
            name=str(number), expectations=[expectation(c) for c in of_query]
        )
        results += batch.validate(suite, result_format="BOOLEAN_ONLY").results
    return results


def _batch_of(check: Check) -> str:
    """SQL of the rows that an expectation of GX's own is asked of; a query says it itself."""
    if check.column is None or check.kind not in _OWN_KINDS:
        return "select 1 as rows_of_every_table"
    return f"select * from {check.table} where {check.rows or 'true'}"
