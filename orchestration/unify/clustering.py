"""The table of one clustering model: whole, or as far as its pairs changed since the last build.

Belongs here: up to which change of its pairs a table of clusters is right (`pipeline.
component_marks`), written in the transaction that writes the table. How labels are found does not.
"""

from __future__ import annotations

import duckdb

from orchestration.unify import components, touched_components

_MARKS = """
create schema if not exists pipeline;
create table if not exists pipeline.component_marks
(relation_name varchar, generation varchar, change_number integer)
"""


def cluster_all(connection: duckdb.DuckDBPyConnection, target: str, pairs: str) -> None:
    """Replace the table of clusters by that of all pairs.

    Args:
        connection: dbt's connection, in the transaction of the model.
        target: The model's table (record_key, cluster_key, record_hash).
        pairs: Relation of (left_record_key, right_record_key).
    """
    renamed = f"select left_record_key as left_node, right_record_key as right_node from {pairs}"
    components.write_labels(connection, target, f"({renamed})")


def cluster_changes(
    connection: duckdb.DuckDBPyConnection, target: str, pairs: str, *, is_whole: bool
) -> None:
    """Bring the table of clusters up to date with pairs that say what changed.

    Without a mark, or where the pairs were built anew or the engine was replaced since it was set,
    all pairs are taken.

    Args:
        connection: dbt's connection, in the transaction of the model: table and mark change
            together or not at all.
        target: The model's table (record_key, cluster_key, record_hash).
        pairs: Relation of (left_record_key, right_record_key, is_gone, generation,
            change_number), kept by the strategy `kept_pairs`.
        is_whole: Take all pairs: there is no table, or a full refresh was asked for.
    """
    connection.execute(_MARKS)
    newest = _newest_change(connection, pairs)
    mark = connection.execute(
        "select generation, change_number from pipeline.component_marks where relation_name = ?",
        [target],
    ).fetchone()
    if is_whole or mark is None or newest is None or mark[0] != newest[0]:
        components.write_labels(connection, target, touched_components.standing(pairs))
    else:
        touched_components.update_labels(connection, target, pairs, since=mark[1])
    connection.execute("delete from pipeline.component_marks where relation_name = ?", [target])
    if newest is not None:
        connection.execute(
            "insert into pipeline.component_marks values (?, ?, ?)", [target, *newest]
        )


def _newest_change(connection: duckdb.DuckDBPyConnection, pairs: str) -> tuple[str, int] | None:
    """Generation and number of the newest change; in two steps, so that the text is not read."""
    row = connection.execute(f"select max(change_number) from {pairs}").fetchone()
    if row is None or row[0] is None:
        return None
    found = connection.execute(
        f"select generation, change_number from {pairs} where change_number = {row[0]} limit 1"
    ).fetchone()
    assert found is not None
    # the hashes by which a table of labels is searched are this engine's own
    return f"{found[0]} duckdb {duckdb.__version__}", found[1]
