"""Rows that are quarantined for drift."""

from __future__ import annotations

import duckdb

from orchestration.ingest.contracts import Contract
from orchestration.ingest.drift.changes import LOSING, Change, Sight
from orchestration.ingest.drift.shapes import read_shape, shapes_borne
from orchestration.ingest.drift.values import is_container
from orchestration.ingest.json_fields import json_parents
from orchestration.ingest.tables import literal


def mark_rows(connection: duckdb.DuckDBPyConnection, contract: Contract, seen: list[Sight]) -> None:
    """`batch_drifted`: rows that are quarantined for drift, with rule and column."""
    connection.execute(
        "create or replace temp table batch_drifted"
        " (row_id bigint, drift_rule text, drift_column text)"
    )
    parents = json_parents(contract)
    places = {column.path: place for place, column in enumerate(contract.columns, start=1)}
    for sight in seen:
        for change in sight.changes:
            if not _is_quarantined(contract, change):
                continue
            condition = "true"
            if change.change in ("added", *LOSING) and contract.is_json:
                shapes = shapes_borne(connection).get(sight.file.delivery.delivery_id, [])
                codes = connection.execute("select shape, code from batch_shapes").fetchall()
                bearing = [shape for shape in shapes if _bears(parents, shape, change)]
                bearing += [code for shape, code in codes if shape in bearing]
                listed = ", ".join(literal(shape) for shape in bearing)
                condition = f"list_contains([{listed}]::text[], shape)"
            elif change.change == "became_object":
                condition = is_container(places[change.key])
            connection.execute(
                f"""
                insert into batch_drifted
                select batch.row_id, ?, ? from batch
                where file_number in (select file_number from batch_files where delivery_id = ?)
                    and failure is null and {condition}
                    and batch.row_id not in (select row_id from batch_drifted)
                """,
                [f"drift_{change.change}", change.key, sight.file.delivery.delivery_id],
            )


def _bears(parents: list[str], shape: str, change: Change) -> bool:
    """Whether rows of a shape show a change."""
    keys, flattened = read_shape(parents, shape)
    if change.change == "flattened":
        return change.key in flattened
    if change.new_key is not None:
        return change.new_key in keys and change.key not in keys
    return change.key in keys


def _is_quarantined(contract: Contract, change: Change) -> bool:
    """Whether rows are quarantined for a change; broken rows are by their own rules."""
    if contract.drift_policy == "quarantine":
        return change.change in ("added", "removed", "became_object", *LOSING)
    return contract.drift_policy == "evolve" and change.change in LOSING
