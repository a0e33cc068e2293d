"""Clustering alone: the project's rounds in SQL beside SciPy and Splink, on the same edges.

Each is a process of its own under the same limit of memory, on edges that DuckDB has made: three
records of four are linked to one before them, and every thousandth record is in a chain of two
hundred. A night brings one record of a hundred more, each linked to one that was there.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import duckdb

from benchmarks.document import table
from benchmarks.measuring import MEBIBYTE, Measurement, machine, measured, versions
from orchestration import warehouse
from orchestration.pipeline.dbt_runner import _close_connections
from orchestration.settings import REPO_ROOT, memory_limit

LIMIT_BYTES = 8 << 30
_ENGINE_LIMIT = "4GiB"

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

_NIGHT = """
insert into edges
select
    'r' || lpad(({records} + i)::text, 10, '0'),
    'r' || lpad((hash(i) % {records})::text, 10, '0')
from range({records} // 100) as t(i)
"""

# Records whose component the night's edges touch, by the labels that the full run gave.
_TOUCHED = """
select count(*) from labels where cluster_key in (
    select cluster_key from labels inner join edges
        on record_key = right_node and left_node >= 'r' || lpad({records}::text, 10, '0')
)
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
  outputs:
    here:
      type: duckdb
      path: "{path}"
      schema: main
      threads: 1
      settings: {{memory_limit: "{memory}"}}
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
        with warehouse.connect(path) as connection:
            connection.execute(_EDGES.format(records=records))
            connection.execute(
                "create table nodes as select left_node as node from edges "
                "union select right_node from edges"
            )
            edges = _count(connection, "select count(*) from edges")
        found = [_measured(name, path) for name in _WORKS]
        with warehouse.connect(path) as connection:
            connection.execute(_NIGHT.format(records=records))
            touched = _count(connection, _TOUCHED.format(records=records))
        night = _measured("Journeyline", path)
    if len({each.facts["clusters"] for each in found}) != 1:
        raise SystemExit(f"error: they do not agree: {[dict(each.facts) for each in found]}")
    ours = found[0]
    return "\n\n".join(
        [
            f"## Identity: clustering {records:,} records",
            f"`python -m benchmarks.identity clustering --records {records}`: {machine()}; "
            f"{versions(('duckdb', 'scipy', 'splink'))}. {edges:,} edges. Each is a process of its "
            f"own, held to {LIMIT_BYTES >> 30} GiB of address space with {_ENGINE_LIMIT} of it for "
            "DuckDB; its start counts, ours is dbt's, SciPy's holds the dense numbers made by SQL "
            "and the labels written back.",
            table(
                ("clustering", "seconds", "CPU s", "peak MiB", "records ÷ CPU s", "clusters"),
                [_row(each, records) for each in found],
            ),
            f"A night with {records // 100:,} new records, each linked to one that was there: "
            f"{night.seconds:.1f} s, {night.cpu_seconds:.1f} s of CPU, "
            f"{night.cpu_seconds / ours.cpu_seconds:.0%} of the full run's; the components that it "
            f"touches hold {touched / records:.1%} of the records. Clusters are made anew each "
            "night, from all edges.",
        ]
    )


def _measured(name: str, path: Path) -> Measurement:
    environment = {"JOURNEYLINE_MEMORY_LIMIT": _ENGINE_LIMIT}
    arguments = [name, str(path)]
    return measured(name, "benchmarks.identity.clustering", arguments, environment, LIMIT_BYTES)


def _row(found: Measurement, records: int) -> list[str]:
    return [
        found.name,
        f"{found.seconds:.1f}",
        f"{found.cpu_seconds:.1f}",
        f"{found.peak_bytes / MEBIBYTE:,.0f}",
        f"{records / found.cpu_seconds:,.0f}",
        f"{found.facts['clusters']:,}",
    ]


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def _ours(path: Path) -> int:
    """The materialization that the project uses, in a dbt project of its own."""
    from dbt.cli.main import dbtRunner

    folder = path.parent
    macros = REPO_ROOT / "dbt_project" / "macros" / "materializations"
    for name, text in {
        "dbt_project.yml": _PROJECT,
        "profiles.yml": _PROFILE.format(path=path, memory=memory_limit()),
        "models/labels.sql": _MODEL,
        "macros/components.sql": (macros / "connected_components.sql").read_text("utf-8"),
        "macros/rounds.sql": (macros / "rounds.sql").read_text("utf-8"),
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


_WORKS = {"Journeyline": _ours, "SciPy": _scipy, "Splink": _splink}


def main() -> None:
    """Do one work in this process and write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", choices=tuple(_WORKS))
    parser.add_argument("path", type=Path)
    parser.add_argument("--facts", type=Path, required=True)
    given = parser.parse_args()
    given.facts.write_text(json.dumps({"clusters": _WORKS[given.work](given.path)}), "utf-8")


if __name__ == "__main__":
    main()
