"""A table of labels brought up to date where pairs changed.

Belongs here: which components changed pairs touch, and what of their labels is written again. How
the components of pairs are found stands in `components`; who says which pairs changed, in
`kept_pairs.sql`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orchestration.unify import components

# Above this share of the pairs, labelling all of them is cheaper than looking for the touched.
_SHARE_LOOKED_FOR = 4


def update_labels(
    connection: duckdb.DuckDBPyConnection, target: str, pairs: str, since: int
) -> None:
    """Bring a table of labels up to date, looking only at components that changed pairs touch.

    A component that lost a pair is labelled anew from its own pairs; one that only gained some
    takes part as its label. All other rows stay where they are. The caller holds the transaction.

    Args:
        connection: An open connection.
        target: Table of (record_key, cluster_key, record_hash), right for the pairs up to `since`.
        pairs: Relation of (left_record_key, right_record_key, is_gone, change_number), one row
            per pair that stands or has stood.
        since: Change number up to which the labels are right.
    """
    changed = connection.execute(
        "select least(left_record_key, right_record_key), "
        f"greatest(left_record_key, right_record_key), is_gone from {pairs} "
        f"where change_number > {since}"
    ).to_arrow_table()
    if changed.num_rows * _SHARE_LOOKED_FOR > _count(connection, pairs):
        components.write_labels(connection, target, standing(pairs))
    elif changed.num_rows:
        _update_touched(connection, target, pairs, since, changed)


def standing(pairs: str) -> str:
    """The pairs that stand, as a query of (left_node, right_node)."""
    return (
        "(select left_record_key as left_node, right_record_key as right_node "
        f"from {pairs} where not is_gone)"
    )


def _update_touched(
    connection: duckdb.DuckDBPyConnection, target: str, pairs: str, since: int, changed: pa.Table
) -> None:
    nodes, (left, right) = components.encoded(changed.column(0), changed.column(1))
    is_gone = changed.column(2).to_numpy()
    clusters = _clusters_of(connection, target, nodes)
    broken = _distinct(clusters.take(pa.array(left[is_gone])))
    is_broken = pc.is_in(clusters, value_set=broken)
    # a node of a cluster that only gains pairs stands for the whole cluster, by its label
    stands_for = pc.if_else(is_broken, nodes, pc.coalesce(clusters, nodes))
    ends = [stands_for.take(pa.array(side[~is_gone])) for side in (left, right)]
    if len(broken):
        rest = _pairs_within(connection, target, pairs, since, broken)
        ends = [pa.concat_arrays([end, *more.chunks]) for end, more in zip(ends, rest, strict=True)]
    smaller, greater = pc.min_element_wise(*ends), pc.max_element_wise(*ends)
    found = components.label_pairs(
        connection, pa.chunked_array([smaller]), pa.chunked_array([greater])
    )
    intact = _distinct(clusters.filter(pc.invert(is_broken)))
    _write_touched(connection, target, found, intact, broken)


def _clusters_of(
    connection: duckdb.DuckDBPyConnection, target: str, nodes: pa.Array
) -> pa.StringArray:
    """The label of each node, in the order of the nodes; null where it has none."""
    sought = pa.table({"node": nodes, "place": np.arange(len(nodes), dtype=np.int32)})
    with _registered(connection, {"sought_nodes": sought}):
        # only a build side with a filter of its own makes the engine skip what is not in its Bloom
        # filter, while it scans the hashes and before it reads a text
        found = connection.execute(
            f"""
            with hashed_nodes as (
                select place, node, {components.record_hash("node")} as record_hash
                from sought_nodes
                where length(node) > 0
            )
            select
                hashed_nodes.place,
                labels.cluster_key,
                labels.record_key = hashed_nodes.node as is_same
            from {target} as labels
            inner join hashed_nodes on labels.record_hash = hashed_nodes.record_hash
            """
        ).to_arrow_table()
    # a hash of 32 bits is another record's now and then
    is_same = found.column(2).to_numpy()
    places = np.zeros(len(nodes), dtype=np.int32)
    is_unknown = np.ones(len(nodes), dtype=np.bool_)
    known = found.column(0).to_numpy()[is_same]
    places[known] = np.flatnonzero(is_same)
    is_unknown[known] = False
    return found.column(1).combine_chunks().take(pa.array(places, mask=is_unknown))


def _pairs_within(
    connection: duckdb.DuckDBPyConnection, target: str, pairs: str, since: int, clusters: pa.Array
) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """The pairs of some clusters that stood before the changes and stand still."""
    with _registered(connection, {"broken_clusters": pa.table({"cluster_key": clusters})}):
        found = connection.execute(
            f"""
            with broken_records as (
                select record_key from {target} semi join broken_clusters using (cluster_key)
            )
            select pairs.left_record_key, pairs.right_record_key
            from {pairs} as pairs
            semi join broken_records on pairs.left_record_key = broken_records.record_key
            where not pairs.is_gone and pairs.change_number <= {since}
            """
        ).to_arrow_table()
    return found.column(0), found.column(1)


def _write_touched(
    connection: duckdb.DuckDBPyConnection,
    target: str,
    found: pa.Table,
    intact: pa.Array,
    broken: pa.Array,
) -> None:
    """Write the labels of new nodes, of broken clusters, and of clusters that have a new label."""
    is_cluster = pc.is_in(found.column(0), value_set=intact)
    has_moved = pc.and_(is_cluster, pc.not_equal(found.column(0), found.column(1)))
    replaced = pa.concat_tables(
        [
            found.filter(has_moved).rename_columns(["former_key", "cluster_key"]),
            pa.table({"former_key": broken, "cluster_key": pa.nulls(len(broken), pa.string())}),
        ]
    )
    if replaced.num_rows:
        with _registered(connection, {"replaced_clusters": replaced}):
            _move(connection, target)
    # what is no label of an intact cluster is new or was in a broken one
    with _registered(connection, {"labels_found": found.filter(pc.invert(is_cluster))}):
        _insert(connection, target, "labels_found")


def _move(connection: duckdb.DuckDBPyConnection, target: str) -> None:
    """Give the records of `replaced_clusters` their new label, or take them out if it is null."""
    connection.execute(
        f"""
        create or replace temp table moved_records as
        select labels.rowid as place, labels.record_key, replaced_clusters.cluster_key
        from {target} as labels
        inner join replaced_clusters on labels.cluster_key = replaced_clusters.former_key
        where length(replaced_clusters.former_key) > 0
        """
    )
    connection.execute(f"delete from {target} where rowid in (select place from moved_records)")
    _insert(connection, target, "moved_records where cluster_key is not null")
    connection.execute("drop table temp.moved_records")


def _insert(connection: duckdb.DuckDBPyConnection, target: str, rows: str) -> None:
    connection.execute(
        f"insert into {target} "
        f"select record_key, cluster_key, {components.record_hash('record_key')} from {rows}"
    )


def _distinct(values: pa.Array) -> pa.Array:
    # see components.encoded
    return pc.unique(values.drop_null(), memory_pool=pa.system_memory_pool())


@contextmanager
def _registered(
    connection: duckdb.DuckDBPyConnection, tables: Mapping[str, pa.Table]
) -> Iterator[None]:
    for name, table in tables.items():
        connection.register(name, table)
    try:
        yield
    finally:
        for name in tables:
            connection.unregister(name)


def _count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    row = connection.execute(f"select count(*) from {relation}").fetchone()
    assert row is not None
    return int(row[0])
