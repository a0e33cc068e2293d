"""Clustering alone: the project's materialization beside SciPy and Splink, on the same edges.

Each is a process of its own under the same limit of memory, on edges that DuckDB has made: three
records of four are linked to one before them, and every thousandth record is in a chain of two
hundred. Each leaves its table in the database file. A night brings one record of a hundred more,
each linked to one that was there.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.document import table
from benchmarks.measuring import MEBIBYTE, Measurement, cpu_spent, machine, measured, versions
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
_PAIRS = """\
{{ config(materialized='incremental', incremental_strategy='kept_pairs') }}
select
    left_node as left_record_key,
    right_node as right_record_key,
    {{ kept_pair_columns() }}
from edges
"""
_LABELS = """\
{{ config(materialized='connected_components', kept_pairs=true) }}
select * from {{ ref('pairs') }}
"""
_MACROS = (
    "engine/connected_components.sql",
    "materializations/connected_components.sql",
    "materializations/kept_pairs.sql",
    "materializations/rounds.sql",
)


_COLUMNS = (
    "clustering",
    "work s",
    "work CPU s",
    "all s",
    "all CPU s",
    "peak MiB",
    "records ÷ work s",
    "work s ÷ SciPy's",
    "work CPU ÷ SciPy's",
    "clusters",
)


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
            nodes = _count(connection, "select count(*) from nodes")
        pairs, *found = [_measured(name, path) for name in _WORKS]
        with warehouse.connect(path) as connection:
            connection.execute(_NIGHT.format(records=records))
            touched = _count(connection, _TOUCHED.format(records=records))
        pairs_tonight = _measured("pairs", path)
        tonight = _measured("Journeyline", path)
        whole = _measured("Journeyline, all anew", path)
    if len({each.facts["clusters"] for each in found}) != 1:
        raise SystemExit(f"error: they do not agree: {[dict(each.facts) for each in found]}")
    if tonight.facts != {**whole.facts, **_work(tonight)}:
        raise SystemExit("error: the night and a full run do not agree")
    ours = found[0]
    return "\n\n".join(
        [
            f"## Identity: clustering {records:,} records",
            f"`python -m benchmarks.identity clustering --records {records}`: {machine()}; "
            f"{versions(('duckdb', 'scipy', 'splink'))}. {edges:,} edges between {nodes:,} of the "
            f"records. Each is a process of its own, held to {LIMIT_BYTES >> 30} GiB of address "
            f"space with {_ENGINE_LIMIT} of it for DuckDB, and leaves its table in the database "
            "file. Work is without the start of the process (imports, and what dbt does before and "
            "after the model); SciPy's holds the dense numbers made by SQL and the numbers of "
            "components written back, ours the smallest record of each cluster.",
            table(
                _COLUMNS,
                [_row(each, records, found[1]) for each in found],
            ),
            f"A night with {records // 100:,} new records, each linked to one that was there: "
            f"{tonight.facts['seconds']:.2f} s for the work, "
            f"{tonight.facts['seconds'] / ours.facts['seconds']:.1%} of the full run's, and "
            f"{tonight.facts['cpu_seconds']:.2f} s of CPU, "
            f"{tonight.facts['cpu_seconds'] / ours.facts['cpu_seconds']:.1%} of it. The components "
            f"that it touches hold {touched / nodes:.1%} of the clustered records. The clusters "
            f"are those of a full run of that night ({whole.facts['seconds']:.1f} s, "
            f"{whole.facts['cpu_seconds']:.1f} s of CPU).",
            "Before it stands the model that keeps the pairs and tells which changed, by comparing "
            f"all of them: {pairs.facts['cpu_seconds']:.1f} s of CPU when it writes all, "
            f"{pairs_tonight.facts['cpu_seconds']:.1f} s that night.",
        ]
    )


def _work(found: Measurement) -> dict[str, float]:
    return {name: found.facts[name] for name in ("seconds", "cpu_seconds")}


def _measured(name: str, path: Path) -> Measurement:
    environment = {"JOURNEYLINE_MEMORY_LIMIT": _ENGINE_LIMIT}
    arguments = [name, str(path)]
    return measured(name, "benchmarks.identity.clustering", arguments, environment, LIMIT_BYTES)


def _row(found: Measurement, records: int, scipy: Measurement) -> list[str]:
    work, cpu = found.facts["seconds"], found.facts["cpu_seconds"]
    return [
        found.name,
        f"{work:.1f}",
        f"{cpu:.1f}",
        f"{found.seconds:.1f}",
        f"{found.cpu_seconds:.1f}",
        f"{found.peak_bytes / MEBIBYTE:,.0f}",
        f"{records / work:,.0f}",
        f"{work / scipy.facts['seconds']:.2f}",
        f"{cpu / scipy.facts['cpu_seconds']:.2f}",
        f"{found.facts['clusters']:,}",
    ]


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def _counted(path: Path, query: str) -> int:
    connection = warehouse.connect(path)
    try:
        return _count(connection, query)
    finally:
        connection.close()


def _started() -> Callable[[], dict[str, float]]:
    """Start the clock of the work; what is returned reads it: seconds, and CPU seconds."""
    cpu_before, before = cpu_spent(), time.monotonic()
    return lambda: {"seconds": time.monotonic() - before, "cpu_seconds": cpu_spent() - cpu_before}


def _import_all() -> None:
    """Import what DuckDB, Arrow and SciPy import at their first use: it is of the start."""
    import pyarrow as pa

    from orchestration.unify import components

    connection = duckdb.connect()
    connection.register("one", pa.table({"node": ["a"]}))
    connection.execute("select node from one").fetchnumpy()
    components.write_labels(
        connection, "labels", "(select node as left_node, node as right_node from one)"
    )
    connection.close()


def _dbt(path: Path, *arguments: str) -> dict[str, float]:
    """What building one model took, in a dbt project of its own with the project's macros."""
    from dbt.cli.main import dbtRunner

    folder = path.parent
    macros = REPO_ROOT / "dbt_project" / "macros"
    files = {
        "dbt_project.yml": _PROJECT,
        "profiles.yml": _PROFILE.format(path=path, memory=memory_limit()),
        "models/pairs.sql": _PAIRS,
        "models/labels.sql": _LABELS,
        **{f"macros/{Path(name).parent}/{Path(name).name}": (macros / name).read_text("utf-8")
           for name in _MACROS},
    }  # fmt: skip
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    given = ["--project-dir", str(folder), "--profiles-dir", str(folder)]
    given += ["--target-path", str(folder / "target"), "--log-path", str(folder / "logs")]
    parsed = dbtRunner().invoke(["--log-level", "none", "parse", *given])
    _import_all()
    # the model alone, and closing its database; dbt's own files before and after are no work
    clocks: list[Callable[[], dict[str, float]]] = []
    spent: list[dict[str, float]] = []

    def time_the_model(event: Any) -> None:
        if event.info.name == "NodeStart":
            clocks.append(_started())
        elif event.info.name == "NodeFinished":
            spent.append(clocks[0]())

    try:
        runner = dbtRunner(manifest=parsed.result, callbacks=[time_the_model])
        outcome = runner.invoke(["--log-level", "none", "run", *given, *arguments])
    finally:
        closing = _started()
        _close_connections()
        spent.append(closing())
    if not outcome.success:
        raise SystemExit(f"error: {outcome.exception or outcome.result}")
    model, close = spent
    return {name: model[name] + close[name] for name in model}


def _pairs(path: Path) -> dict[str, float]:
    return _dbt(path, "--select", "pairs")


def _ours(path: Path, *arguments: str) -> dict[str, float]:
    took = _dbt(path, "--select", "labels", *arguments)
    clusters = _counted(path, "select count(distinct cluster_key) from labels")
    # a sum of the rows' hashes: the same for the same table
    content = _counted(path, "select sum(hash(record_key, cluster_key) % 1000000007) from labels")
    return {**took, "clusters": clusters, "content": content}


def _ours_anew(path: Path) -> dict[str, float]:
    return _ours(path, "--full-refresh")


def _scipy(path: Path) -> dict[str, float]:
    import numpy as np
    import pyarrow as pa
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    _import_all()
    took = _started()
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
        "create or replace table scipy_labels as select node, label from numbered "
        "inner join found using (number)"
    )
    connection.close()
    return {**took(), "clusters": int(count)}


def _splink(path: Path) -> dict[str, float]:
    from splink import DuckDBAPI
    from splink.clustering import cluster_pairwise_predictions_at_threshold

    _import_all()
    took = _started()
    connection = warehouse.connect(path)
    clusters = cluster_pairwise_predictions_at_threshold(
        nodes="nodes",
        edges="edges",
        db_api=DuckDBAPI(connection),
        node_id_column_name="node",
        edge_id_column_name_left="left_node",
        edge_id_column_name_right="right_node",
    )
    name = clusters.physical_name
    connection.execute("checkpoint")
    facts = took()
    return {
        **facts,
        "clusters": _count(connection, f"select count(distinct cluster_id) from {name}"),
    }


_WORKS = {"pairs": _pairs, "Journeyline": _ours, "SciPy": _scipy, "Splink": _splink}
_NIGHT_WORKS = {"Journeyline, all anew": _ours_anew}


def main() -> None:
    """Do one work in this process and write what came of it."""
    works = {**_WORKS, **_NIGHT_WORKS}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", choices=tuple(works))
    parser.add_argument("path", type=Path)
    parser.add_argument("--facts", type=Path, required=True)
    given = parser.parse_args()
    given.facts.write_text(json.dumps(works[given.work](given.path)), "utf-8")


if __name__ == "__main__":
    main()
