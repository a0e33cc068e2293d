"""The shapes of JSON rows: which keys they have, and which objects of the contract are none."""

from __future__ import annotations

import json

import duckdb


def shapes_borne(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """The shapes that rows of the batch have, by delivery id."""
    found: dict[str, list[str]] = {}
    for delivery_id, shape in connection.execute(
        """
        with borne as (
            select distinct delivery_id, shape
            from batch inner join batch_files on batch.file_number = batch_files.file_number
            where shape is not null
        )
        select delivery_id, coalesce(batch_shapes.shape, borne.shape)
        from borne left join batch_shapes on borne.shape = batch_shapes.code
        """
    ).fetchall():
        found.setdefault(delivery_id, []).append(shape)
    return found


def read_shape(parents: list[str], shape: str) -> tuple[set[str], set[str]]:
    """The keys that a shape shows, and the objects of the contract that are none in it."""
    names, _, kinds = shape.partition("|")
    keys = {
        f"{parent}.{name}" if parent else name
        for parent, below in zip(parents, json.loads(names), strict=True)
        for name in below or []
    }
    inner = [parent for parent in parents if parent]
    said = json.loads(kinds) if kinds else []
    return keys, {
        parent
        for parent, kind in zip(inner, said, strict=True)
        if kind not in (None, "NULL", "OBJECT", "ARRAY")
    }
