"""Clustering alone: the project's rounds in SQL beside SciPy and Splink, on the same edges.

Each runs in this process after the other, on edges that DuckDB has made: three records of four are
linked to one before them, and every thousandth record is in a chain of two hundred.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import duckdb

from benchmarks.document import table
from benchmarks.measuring import machine, versions
from orchestration import warehouse
from orchestration.pipeline.dbt_runner import _close_connections
from orchestration.settings import REPO_ROOT

_EDGES = """
create table edges as
select
    'r' || lpad(i::text, 10, '0') as left_node,
    'r' || lpad((case
        when i % 200000 < 200 then i + 1
        else (i // 8) * 8 + hash(i) % 8
    end)::text, 10, '0') as right_node
from range({records}) as t(i)
where i % 4 < 3 or i % 200000 < 200
"""


_PROJECT = """\
name: clustering
version: "1.0"
profile: clustering
model-paths: [models]
macro-paths: [macros]
flags: {send_anonymous_usage_stats: false}
"""
_PROFILE = """\
clustering:
  target: here
  outputs: {{here: {{type: duckdb, path: "{path}", schema: main, threads: 1}}}}
"""
_MODEL = """\
{{ config(materialized='connected_components') }}
select left_node as left_record_key, right_node as right_record_key from edges
"""


def measure(records: int) -> str:
    """The section.

    Args:
        records: Records to cluster.
    """
    with tempfile.TemporaryDirectory(prefix="journeyline-clusters-") as folder:
        path = Path(folder) / "clusters.duckdb"
        connection = warehouse.connect(path)
        connection.execute(_EDGES.format(records=records))
        connection.execute(
            "create table nodes as select left_node as node from edges "
            "union select right_node from edges"
        )
        edges = _count(connection, "select count(*) from edges")
        connection.close()
        rows = []
        counts = set()
        for name, work in (("Journeyline", _ours), ("SciPy", _scipy), ("Splink", _splink)):
            started = time.monotonic()
            clusters = work(path)
            seconds = time.monotonic() - started
            counts.add(clusters)
            rows.append([name, f"{seconds:.1f}", f"{records / seconds:,.0f}", f"{clusters:,}"])
    if len(counts) != 1:
        raise SystemExit(f"error: the three do not agree on the clusters: {sorted(counts)}")
    return "\n\n".join(
        [
            f"## Identity: clustering {records:,} records",
            f"`python -m benchmarks.identity clustering --records {records}`: {machine()}; "
            f"{versions(('duckdb', 'scipy', 'splink'))}. {edges:,} edges; "
            "ours includes the start of dbt, SciPy's the dense numbers made by SQL and the labels "
            "written back.",
            table(("clustering", "seconds", "records/s", "clusters"), rows),
        ]
    )


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def _ours(path: Path) -> int:
    """The materialization that the project uses, in a dbt project of its own."""
    from dbt.cli.main import dbtRunner

    folder = path.parent
    macro = Path("macros") / "materializations" / "connected_components.sql"
    for name, text in {
        "dbt_project.yml": _PROJECT,
        "profiles.yml": _PROFILE.format(path=path),
        "models/labels.sql": _MODEL,
        "macros/components.sql": (REPO_ROOT / "dbt_project" / macro).read_text("utf-8"),
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    arguments = ["run", "--project-dir", str(folder), "--profiles-dir", str(folder)]
    arguments += ["--target-path", str(folder / "target"), "--log-path", str(folder / "logs")]
    try:
        outcome = dbtRunner().invoke(["--log-level", "none", *arguments])
    finally:
        _close_connections()
    if not outcome.success:
        raise SystemExit(f"error: {outcome.exception or outcome.result}")
    connection = warehouse.connect(path)
    try:
        return _count(connection, "select count(distinct cluster_key) from labels")
    finally:
        connection.close()


def _scipy(path: Path) -> int:
    import numpy as np
    import pyarrow as pa
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    connection = warehouse.connect(path)
    connection.execute(
        "create or replace temp table numbered as select node, row_number() over () - 1 as number "
        "from nodes"
    )
    pairs = connection.execute(
        "select left_numbers.number::integer as l, right_numbers.number::integer as r from edges "
        "inner join numbered as left_numbers on left_numbers.node = left_node "
        "inner join numbered as right_numbers on right_numbers.node = right_node"
    ).fetchnumpy()
    size = _count(connection, "select count(*) from numbered")
    ones = np.ones(len(pairs["l"]), dtype=np.int8)
    count, labels = connected_components(
        coo_matrix((ones, (pairs["l"], pairs["r"])), shape=(size, size)), directed=False
    )
    connection.register("found", pa.table({"number": np.arange(size), "label": labels}))
    connection.execute(
        "create or replace temp table scipy_labels as select node, label from numbered "
        "inner join found using (number)"
    )
    connection.close()
    return int(count)


def _splink(path: Path) -> int:
    from splink import DuckDBAPI
    from splink.clustering import cluster_pairwise_predictions_at_threshold

    connection = warehouse.connect(path)
    clusters = cluster_pairwise_predictions_at_threshold(
        nodes="nodes",
        edges="edges",
        db_api=DuckDBAPI(connection),
        node_id_column_name="node",
        edge_id_column_name_left="left_node",
        edge_id_column_name_right="right_node",
    )
    return _count(connection, f"select count(distinct cluster_id) from {clusters.physical_name}")
