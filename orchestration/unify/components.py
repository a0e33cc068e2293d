"""Connected components of a graph in DuckDB, found by SciPy.

Belongs here: from pairs of nodes to the smallest node of each component, whole or as far as pairs
changed. What the nodes mean does not, nor who says which pairs changed (`kept_pairs.sql`).
"""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

# Tables of labels are looked up by scanning both columns; unpacking text would cost more than it
# saves, and packing it was half of what writing them took.
_LABELS = (
    "create or replace table {target} (record_key varchar using compression uncompressed, "
    "cluster_key varchar using compression uncompressed)"
)
_ROWS_WRITTEN_AT_ONCE = 4 * 122_880  # whole row groups of DuckDB
# Above this share of the pairs, labelling all of them is cheaper than looking for the touched.
_SHARE_LOOKED_FOR = 4


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
    # arrow's own pool zeroes huge pages as the dictionary grows: a third more time
    chunks = pc.dictionary_encode(
        pa.chunked_array(
            found.column(0).chunks + found.column(1).chunks, type=found.schema.types[0]
        ),
        memory_pool=pa.system_memory_pool(),
    ).chunks
    if not found.num_rows:
        return pa.table({"record_key": pa.array([], pa.string()), "cluster_key": []})
    # all chunks of one encoding share its last dictionary
    nodes = chunks[-1].dictionary
    numbers = np.concatenate([chunk.indices.to_numpy() for chunk in chunks])
    smaller, greater = numbers[: found.num_rows], numbers[found.num_rows :]
    del found, chunks
    # booleans: the same pair twice is one pair, where a small integer would count over its end
    linked = np.ones(len(smaller), dtype=np.bool_)
    matrix = coo_matrix((linked, (smaller, greater)), shape=(len(nodes), len(nodes)))
    components = connected_components(matrix, directed=False)[1]
    # the smallest node of a component is the greater one of no pair: few nodes are left to compare
    may_be_smallest = np.ones(len(nodes), dtype=np.bool_)
    may_be_smallest[greater[smaller != greater]] = False
    labels = _smallest(connection, nodes, components, np.flatnonzero(may_be_smallest))
    return pa.table({"record_key": nodes, "cluster_key": labels.take(pa.array(components))})


def _smallest(
    connection: duckdb.DuckDBPyConnection,
    nodes: pa.Array,
    components: np.ndarray[Any, np.dtype[np.int32]],
    candidates: np.ndarray[Any, np.dtype[np.int64]],
) -> pa.Array:
    """The smallest node of each component, in the order of their numbers."""
    compared = pa.table(
        {"node": nodes.take(pa.array(candidates)), "component": components[candidates]}
    )
    connection.register("component_candidates", compared)
    try:
        found = connection.execute(
            "select min(node) as label from component_candidates "
            "group by component order by component"
        ).to_arrow_table()
    finally:
        connection.unregister("component_candidates")
    return found.column(0).combine_chunks()


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
    """Replace a table of labels (record_key, cluster_key) by those of all pairs.

    Args:
        connection: An open connection.
        target: The table, quoted where needed.
        pairs: A query or relation of (left_node, right_node), text.
    """
    connection.execute(_LABELS.format(target=target))
    _write_found(connection, pairs, f"insert into {target} from component_found")


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


def update_labels(
    connection: duckdb.DuckDBPyConnection, target: str, pairs: str, since: int
) -> None:
    """Bring a table of labels up to date, looking only at components that changed pairs touch.

    A component that lost a pair is labelled anew from its own pairs; one that only gained some
    takes part as its label. All other rows stay where they are. The caller holds the transaction.

    Args:
        connection: An open connection.
        target: Table of (record_key, cluster_key), right for the pairs up to `since`.
        pairs: Relation of (left_record_key, right_record_key, is_gone, change_number), one row
            per pair that stands or has stood.
        since: Change number up to which the labels are right.
    """
    connection.execute(
        f"""
        create or replace temp table changed_pairs as
        select left_record_key, right_record_key, is_gone from {pairs}
        where change_number > {since}
        """
    )
    changed = _count(connection, "changed_pairs")
    if changed * _SHARE_LOOKED_FOR > _count(connection, pairs):
        write_labels(connection, target, standing(pairs))
    elif changed:
        _update_touched(connection, target, pairs, since)
    _drop(connection, "changed_pairs")


def standing(pairs: str) -> str:
    """The pairs that stand, as a query of (left_node, right_node)."""
    return (
        "(select left_record_key as left_node, right_record_key as right_node "
        f"from {pairs} where not is_gone)"
    )


def _update_touched(
    connection: duckdb.DuckDBPyConnection, target: str, pairs: str, since: int
) -> None:
    _find_touched(connection, target)
    rest = "select null::varchar, null::varchar where false"
    if _count(connection, "broken_clusters"):
        rest = f"""
            select pairs.left_record_key, pairs.right_record_key
            from {pairs} as pairs
            semi join broken_records on pairs.left_record_key = broken_records.record_key
            where not pairs.is_gone and pairs.change_number <= {since}
        """
        connection.execute(
            f"""
            create or replace temp table broken_records as
            select record_key from {target} semi join broken_clusters using (cluster_key)
            """
        )
    _write_found(
        connection,
        f"""(
            select left_nodes.stands_for as left_node, right_nodes.stands_for as right_node
            from changed_pairs
            inner join touched_nodes as left_nodes on left_record_key = left_nodes.node
            inner join touched_nodes as right_nodes on right_record_key = right_nodes.node
            where not is_gone
            union all
            {rest}
        )""",
        "create or replace temp table labels_found as from component_found",
    )
    _write_touched(connection, target)
    _drop(connection, "broken_records", "broken_clusters", "touched_nodes")
    _drop(connection, "labels_found")


def _find_touched(connection: duckdb.DuckDBPyConnection, target: str) -> None:
    """Write `touched_nodes` (node, cluster_key, stands_for) and `broken_clusters` (cluster_key).

    A node of a cluster that only gains pairs stands for the whole cluster, by its label.
    """
    connection.execute(
        f"""
        create or replace temp table clusters_touched as
        with nodes as (
            select left_record_key as node from changed_pairs
            union
            select right_record_key from changed_pairs
        )
        select nodes.node, labels.cluster_key
        from nodes
        left join {target} as labels on nodes.node = labels.record_key
        """
    )
    connection.execute(
        """
        create or replace temp table broken_clusters as
        select distinct clusters_touched.cluster_key
        from changed_pairs
        inner join clusters_touched on changed_pairs.left_record_key = clusters_touched.node
        where changed_pairs.is_gone and clusters_touched.cluster_key is not null
        """
    )
    connection.execute(
        """
        create or replace temp table touched_nodes as
        select
            clusters_touched.node,
            clusters_touched.cluster_key,
            case
                when broken_clusters.cluster_key is null
                    then coalesce(clusters_touched.cluster_key, clusters_touched.node)
                else clusters_touched.node
            end as stands_for
        from clusters_touched
        left join broken_clusters using (cluster_key)
        """
    )
    _drop(connection, "clusters_touched")


def _write_touched(connection: duckdb.DuckDBPyConnection, target: str) -> None:
    """Write the labels of new nodes, of broken clusters, and of clusters that have a new label."""
    connection.execute(
        """
        create or replace temp table intact_clusters as
        select distinct touched_nodes.cluster_key
        from touched_nodes
        anti join broken_clusters on touched_nodes.cluster_key = broken_clusters.cluster_key
        where touched_nodes.cluster_key is not null
        """
    )
    connection.execute(
        """
        create or replace temp table replaced_clusters as
        select intact_clusters.cluster_key, labels_found.cluster_key as label
        from intact_clusters
        inner join labels_found on intact_clusters.cluster_key = labels_found.record_key
        where labels_found.cluster_key <> intact_clusters.cluster_key
        union all
        select cluster_key, null from broken_clusters
        """
    )
    if _count(connection, "replaced_clusters"):
        connection.execute(
            f"""
            create or replace temp table moved_records as
            select labels.record_key, replaced_clusters.label as cluster_key
            from {target} as labels
            inner join replaced_clusters on labels.cluster_key = replaced_clusters.cluster_key
            where replaced_clusters.label is not null
            """
        )
        connection.execute(
            f"delete from {target} where cluster_key in (select cluster_key from replaced_clusters)"
        )
        connection.execute(f"insert into {target} from moved_records")
    # what is no label of an intact cluster is new or was in a broken one
    connection.execute(
        f"""
        insert into {target}
        select labels_found.record_key, labels_found.cluster_key
        from labels_found
        anti join intact_clusters on labels_found.record_key = intact_clusters.cluster_key
        """
    )
    _drop(connection, "intact_clusters", "replaced_clusters", "moved_records")


def _count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    row = connection.execute(f"select count(*) from {relation}").fetchone()
    assert row is not None
    return int(row[0])


def _drop(connection: duckdb.DuckDBPyConnection, *tables: str) -> None:
    for table in tables:
        connection.execute(f"drop table if exists temp.{table}")
