"""dbt by itself, as somebody at work on a model types it, gives the marts that a run gives."""

from __future__ import annotations

import os
import subprocess
import sys

import duckdb
import pytest

from orchestration import warehouse
from orchestration.settings import Settings

# They know which build found what; the pairs that stand are what other models read of them.
_KEPT_PAIRS = ("unify.int_link_pairs", "unify.int_cluster_pairs")


def _fingerprints(settings: Settings) -> dict[str, tuple[int, int]]:
    """Rows and an order-free fingerprint of every table that dbt builds.

    Whom a build touches is its own: a second one with nothing new touches nobody.
    """
    connection = warehouse.connect(settings.warehouse, read_only=True)
    try:
        tables = connection.execute(
            """
            select table_schema || '.' || table_name from information_schema.tables
            where table_type = 'BASE TABLE'
                and table_schema in ('unify', 'journey', 'measure', 'decide')
                and table_name not like 'int_touched_%'
            """
        ).fetchall()
        return {table: _fingerprint(connection, table) for (table,) in tables}
    finally:
        connection.close()


def _fingerprint(connection: duckdb.DuckDBPyConnection, table: str) -> tuple[int, int]:
    source = table
    if table in _KEPT_PAIRS:
        source = f"(select left_record_key, right_record_key from {table} where not is_gone)"
    found = connection.execute(
        f"select count(*), coalesce(sum(hash(whole)), 0) from {source} as whole"
    ).fetchone()
    assert found is not None
    return found[0], found[1]


def _dbt(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    project = settings.repo_root / "dbt_project"
    return subprocess.run(
        [sys.executable, "-c", "from dbt.cli.main import cli; cli()", *arguments,
         "--project-dir", str(project), "--profiles-dir", str(project),
         "--target-path", str(settings.home / "alone"), "--log-path", str(settings.home / "logs")],
        env={**os.environ, "JOURNEYLINE_HOME": str(settings.home),
             "PYTHONPATH": str(settings.repo_root)},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [(), ("--full-refresh",)])
def test_dbt_build_alone_gives_the_same_marts(
    built_home: Settings, arguments: tuple[str, ...]
) -> None:
    before = _fingerprints(built_home)
    done = _dbt(built_home, "build", "--exclude", "resource_type:unit_test", *arguments)
    assert done.returncode == 0, done.stdout[-3000:]
    assert _fingerprints(built_home) == before
    assert sum(rows for rows, _ in before.values()) > 10_000
