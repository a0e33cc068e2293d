"""Connected components of a graph in DuckDB, found by SciPy.

Belongs here: from all pairs of nodes to the smallest node of each component. How a table of labels
is brought up to date stands in `touched_components`; what the nodes mean does not stand here.
"""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

Places = np.ndarray[Any, np.dtype[np.int32]]

# A night looks for records by their hash: scanned unpacked it costs a third of what comparing texts
# would. Texts are packed, because they are read for the records found and no others.
_LABELS = (
    "create or replace table {target} ("
    "record_key varchar using compression fsst, cluster_key varchar using compression fsst, "
    "record_hash uinteger using compression uncompressed)"
)
_ROWS_WRITTEN_AT_ONCE = 4 * 122_880  # whole row groups of DuckDB


def record_hash(column: str) -> str:
    """SQL of the number by which a table of labels is searched; another engine's may differ."""
    return f"cast(hash({column}) & 4294967295 as uinteger)"


def find_labels(connection: duckdb.DuckDBPyConnection, pairs: str) -> pa.Table:
    """Find the label of every node: the smallest node of its component.

    Args:
        connection: An open connection.
        pairs: A query or relation of (left_node, right_node), text; a pair of a node with itself
            names a node that may have no other.

    Returns:
        (record_key, cluster_key), text, one row per node; the rows do not stand in any order.
    """
    connection.execute("set produce_arrow_string_view = true")
    try:
        found = connection.execute(
            "select least(left_node, right_node) as smaller, "
            f"greatest(left_node, right_node) as greater from {pairs}"
        ).to_arrow_table()
    finally:
        connection.execute("reset produce_arrow_string_view")
    smaller, greater = found.column(0), found.column(1)
    del found
    return label_pairs(connection, smaller, greater)


def label_pairs(
    connection: duckdb.DuckDBPyConnection, left: pa.ChunkedArray, right: pa.ChunkedArray
) -> pa.Table:
    """Find the label of every node of pairs that are in memory.

    Args:
        connection: An open connection.
        left: One node of each pair, not greater than the other one.
        right: The other node of each pair.

    Returns:
        (record_key, cluster_key), text, one row per node; the rows do not stand in any order.
    """
    if not len(left):
        return pa.table({"record_key": pa.array([], pa.string()), "cluster_key": []})
    nodes, (smaller, greater) = encoded(left, right)
    del left, right
    # booleans: the same pair twice is one pair, where a small integer would count over its end
    linked = np.ones(len(smaller), dtype=np.bool_)
    matrix = coo_matrix((linked, (smaller, greater)), shape=(len(nodes), len(nodes)))
    components = connected_components(matrix, directed=False)[1]
    # the smallest node of a component is the greater one of no pair: few nodes are left to compare
    may_be_smallest = np.ones(len(nodes), dtype=np.bool_)
    may_be_smallest[greater[smaller != greater]] = False
    labels = _smallest(connection, nodes, components, np.flatnonzero(may_be_smallest))
    return pa.table({"record_key": nodes, "cluster_key": nodes.take(pa.array(labels[components]))})


def encoded(*columns: pa.ChunkedArray) -> tuple[pa.Array, list[Places]]:
    """Number the values of columns of one type.

    Args:
        *columns: Columns without nulls, one value among them at least.

    Returns:
        The distinct values, and each column as places among them.
    """
    # arrow's own pool zeroes huge pages as the dictionary grows: a third more time
    chunks = pc.dictionary_encode(
        pa.chunked_array([chunk for column in columns for chunk in column.chunks]),
        memory_pool=pa.system_memory_pool(),
    ).chunks
    numbers = np.concatenate([chunk.indices.to_numpy() for chunk in chunks])
    ends = np.cumsum([len(column) for column in columns])
    # all chunks of one encoding share its last dictionary
    return chunks[-1].dictionary, np.split(numbers, ends[:-1])


def _smallest(
    connection: duckdb.DuckDBPyConnection,
    nodes: pa.Array,
    components: Places,
    candidates: np.ndarray[Any, np.dtype[np.int64]],
) -> Places:
    """The place of the smallest node of each component, in the order of their numbers."""
    of_component = components[candidates]
    smallest = np.empty(components.max() + 1, dtype=np.int32)
    # right where there is one; where there are several, their texts are compared
    smallest[of_component] = candidates
    several = np.bincount(of_component)[of_component] > 1
    compared = pa.table(
        {
            "node": nodes.take(pa.array(candidates[several])),
            "place": candidates[several],
            "component": of_component[several],
        }
    )
    connection.register("component_candidates", compared)
    try:
        found = connection.execute(
            "select component, arg_min(place, node) from component_candidates group by component"
        ).to_arrow_table()
    finally:
        connection.unregister("component_candidates")
    smallest[found.column(0).to_numpy()] = found.column(1).to_numpy()
    return smallest


def label_components(connection: duckdb.DuckDBPyConnection, nodes: str, edges: str) -> None:
    """Write the temporary table `component_labels` (node, label), one row per node.

    Args:
        connection: An open connection.
        nodes: Relation with a column `node`, one row per node.
        edges: Relation with columns `left_node`, `right_node`, both among the nodes.
    """
    pairs = f"(select left_node, right_node from {edges} union all select node, node from {nodes})"
    _write_found(
        connection,
        pairs,
        "create or replace temp table component_labels as "
        "select record_key as node, cluster_key as label from component_found",
    )


def write_labels(connection: duckdb.DuckDBPyConnection, target: str, pairs: str) -> None:
    """Replace a table of labels (record_key, cluster_key, record_hash) by those of all pairs.

    Args:
        connection: An open connection.
        target: The table, quoted where needed.
        pairs: A query or relation of (left_node, right_node), text.
    """
    connection.execute(_LABELS.format(target=target))
    _write_found(
        connection,
        pairs,
        f"insert into {target} "
        f"select record_key, cluster_key, {record_hash('record_key')} from component_found",
    )


def _write_found(connection: duckdb.DuckDBPyConnection, pairs: str, statement: str) -> None:
    # in pieces, so that every thread of the engine has some to write
    found = find_labels(connection, pairs)
    pieces = found.to_batches(max_chunksize=_ROWS_WRITTEN_AT_ONCE)
    connection.register("component_found", pa.Table.from_batches(pieces, schema=found.schema))
    del found, pieces
    try:
        connection.execute(statement)
    finally:
        connection.unregister("component_found")
