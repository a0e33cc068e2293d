"""Connected components in SQL rounds: min-label propagation with pointer jumping.

Belongs here: the set-based loop over two narrow tables. What the nodes mean does not.
"""

from __future__ import annotations

import duckdb


def label_components(connection: duckdb.DuckDBPyConnection, nodes: str, edges: str) -> None:
    """Write the temporary table `component_labels` (node, label).

    The label of a component is its smallest node. Rounds repeat until no label changes; pointer
    jumping makes their number logarithmic in the longest chain.

    Args:
        connection: An open connection.
        nodes: Relation with a column `node`, one row per node.
        edges: Relation with columns `left_node`, `right_node`, both among the nodes.
    """
    connection.execute(
        f"create or replace temp table component_labels as select node, node as label from {nodes}"
    )
    connection.execute(
        f"""
        create or replace temp table component_edges as
        select left_node as node, right_node as neighbour from {edges}
        union
        select right_node, left_node from {edges}
        """
    )
    while _round(connection):
        pass


def _round(connection: duckdb.DuckDBPyConnection) -> bool:
    connection.execute(
        """
        create or replace temp table next_labels as
        with smallest_neighbours as (
            select component_edges.node, min(component_labels.label) as label
            from component_edges
            inner join component_labels on component_labels.node = component_edges.neighbour
            group by component_edges.node
        ),
        proposed as (
            select
                component_labels.node,
                least(
                    component_labels.label,
                    coalesce(smallest_neighbours.label, component_labels.label)
                ) as label
            from component_labels
            left join smallest_neighbours on smallest_neighbours.node = component_labels.node
        )
        select proposed.node, least(proposed.label, jumped.label) as label
        from proposed
        inner join component_labels as jumped on jumped.node = proposed.label
        """
    )
    changed = connection.execute(
        """
        select count(*) from next_labels
        inner join component_labels on component_labels.node = next_labels.node
        where next_labels.label <> component_labels.label
        """
    ).fetchone()
    connection.execute("create or replace temp table component_labels as select * from next_labels")
    return changed is not None and changed[0] > 0
