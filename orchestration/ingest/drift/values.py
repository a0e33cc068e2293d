"""Columns whose values changed their kind, and values outside closed sets."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb

from orchestration.ingest.contracts import Contract
from orchestration.ingest.drift.changes import JUDGED_FROM_ROWS, Change
from orchestration.ingest.reading import rules_of
from orchestration.ingest.trends import masked

_MOST = 0.5
_ENUM_VALUES = 20
_SHOWN = ("public", "internal")


def value_changes(
    connection: duckdb.DuckDBPyConnection, contract: Contract
) -> dict[str, list[Change]]:
    """Columns whose values changed their kind, and values outside closed sets, by delivery."""
    found: dict[str, list[Change]] = {}
    for delivery_id, change in [
        *_grown_sets(connection, contract),
        *_retyped(connection, contract),
        *_became_objects(connection, contract),
    ]:
        found.setdefault(delivery_id, []).append(change)
    return found


def _grown_sets(
    connection: duckdb.DuckDBPyConnection, contract: Contract
) -> Iterator[tuple[str, Change]]:
    columns = {column.name: column for column in contract.columns}
    for rule in rules_of(contract):
        if rule.name != "not_in_set" or rule.column_name is None:
            continue
        is_shown = columns[rule.column_name].classification in _SHOWN
        for delivery_id, value in connection.execute(
            """
            select distinct delivery_id, value
            from batch inner join batch_files on batch.file_number = batch_files.file_number
            where failure = ? and not is_again
            qualify dense_rank() over (partition by delivery_id order by value) <= ?
            order by delivery_id, value
            """,
            [rule.number, _ENUM_VALUES],
        ).fetchall():
            told = f"new value {value if is_shown else masked(value)}"
            yield delivery_id, Change(rule.column_name, "enum_grew", told)


def _retyped(
    connection: duckdb.DuckDBPyConnection, contract: Contract
) -> Iterator[tuple[str, Change]]:
    places = {column.name: place for place, column in enumerate(contract.columns, start=1)}
    types = {column.name: column.physical_type for column in contract.columns}
    failed = {
        number
        for (number,) in connection.execute(
            "select distinct failure from batch where failure is not null"
        ).fetchall()
    }
    for rule in rules_of(contract):
        if rule.name != "wrong_type" or rule.number not in failed:
            continue
        assert rule.column_name is not None
        for delivery_id, sample in connection.execute(
            f"""
            select delivery_id, min(value) filter (where failure = ?)
            from batch inner join batch_files on batch.file_number = batch_files.file_number
            where not is_again group by delivery_id
            having count_if(failure = ?) >= ? * (
                count(c{places[rule.column_name]}) + count_if(failure = ?)
            ) and count_if(failure = ?) >= ?
            """,
            [rule.number, rule.number, _MOST, rule.number, rule.number, JUDGED_FROM_ROWS],
        ).fetchall():
            told = f"most values are no {types[rule.column_name]}, such as {masked(sample)}"
            yield delivery_id, Change(rule.column_name, "retyped", told)


def _became_objects(
    connection: duckdb.DuckDBPyConnection, contract: Contract
) -> Iterator[tuple[str, Change]]:
    if not contract.is_json:
        return
    texts = [
        (place, column)
        for place, column in enumerate(contract.columns, start=1)
        if column.physical_type == "text"
    ]
    if not texts:
        return
    counts = ", ".join(f"count_if({is_container(place)}), count(c{place})" for place, _ in texts)
    for delivery_id, *counted in connection.execute(
        f"""
        select delivery_id, {counts}
        from batch inner join batch_files on batch.file_number = batch_files.file_number
        where not is_again group by delivery_id
        """
    ).fetchall():
        for number, (_, column) in enumerate(texts):
            containers, filled = counted[2 * number], counted[2 * number + 1]
            if containers >= JUDGED_FROM_ROWS and containers >= _MOST * filled:
                yield delivery_id, Change(column.path, "became_object")


def is_container(place: int) -> str:
    """SQL of whether a column of the batch, by its place, holds JSON that is no plain value."""
    # Free text may begin with a bracket; only what is JSON counts.
    return f"case when unicode(c{place}) in (91, 123) then json_valid(c{place}) else false end"
