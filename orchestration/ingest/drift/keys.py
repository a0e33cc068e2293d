"""Keys that came, went or bear another name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import duckdb

from orchestration.ingest.contracts import Column, Contract
from orchestration.ingest.drift.changes import (
    GONE,
    JUDGED_FROM_ROWS,
    LOSING,
    OPTIONAL_JUDGED_FROM_ROWS,
    Change,
    SeenFile,
    Sight,
)
from orchestration.ingest.drift.shapes import read_shape, shapes_borne
from orchestration.ingest.json_fields import json_parents, known_keys
from orchestration.ingest.renames import find_renames, is_recased


def sightings(
    connection: duckdb.DuckDBPyConnection, contract: Contract, files: list[SeenFile]
) -> Iterator[Sight]:
    """Each delivery that has rows or a header, with the keys that it shows."""
    counts = dict(connection.execute("select delivery_id, row_count from batch_files").fetchall())
    shapes = shapes_borne(connection) if contract.is_json else {}
    parents = json_parents(contract)
    for file in files:
        sight = Sight(file, counts[file.delivery.delivery_id], set(file.header))
        for shape in shapes.get(file.delivery.delivery_id, []):
            keys, flattened = read_shape(parents, shape)
            sight.keys |= keys
            sight.flattened |= flattened
            sight.recased |= _recased_in(contract, keys)
        if sight.keys:
            yield sight


def _recased_in(contract: Contract, keys: set[str]) -> dict[str, str]:
    """Keys of the contract that rows of one shape lack, with the key that they have instead."""
    known = known_keys(contract)
    unknown = [key for key in keys if key not in known]
    return {
        old: new for new in unknown for old in known if old not in keys and is_recased(old, new)
    }


def key_changes(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    sight: Sight,
    state: dict[str, str],
    renames_of: Iterable[Change] = (),
) -> list[Change]:
    """Keys that came and went against the state; few rows do not tell that a key is gone."""
    known = known_keys(contract)
    taken_by_alias = {
        column.path: alias
        for column in contract.columns
        for alias in column.aliases
        if alias in sight.keys
    }
    came: list[Change] = []
    gone: list[Change] = []
    unsure: list[Change] = []
    for key in sorted(known.keys() | state.keys() | sight.keys):
        last = state.get(key)
        if key in sight.keys:
            if last in GONE:
                came.append(Change(key, "returned"))
            elif last is None and key not in known:
                came.append(Change(key, "added"))
        elif last not in GONE and (key in known or last is not None):
            columns = known.get(key, [])
            is_alias = any(key in column.aliases for column in columns)
            bound = (
                JUDGED_FROM_ROWS
                if any(column.is_required for column in columns)
                else OPTIONAL_JUDGED_FROM_ROWS
            )
            is_told = sight.has_header or sight.row_count >= bound
            if not is_alias and key not in taken_by_alias:
                (gone if is_told else unsure).append(Change(key, "removed"))
    renamed = {change.key: change for change in renames_of if change.change in LOSING}
    if not renames_of:
        renamed = _renamed(connection, contract, sight, known, gone + unsure, came)
    changed = [renamed.get(change.key, change) for change in gone]
    changed += [renamed[change.key] for change in unsure if change.key in renamed]
    return came + changed


def _renamed(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    sight: Sight,
    known: dict[str, list[Column]],
    gone: list[Change],
    came: list[Change],
) -> dict[str, Change]:
    columns = {
        change.key: column
        for change in gone
        for column in known.get(change.key, [])
        if column.path == change.key
    }
    added = [change.key for change in came if change.change == "added"]
    if not columns or not added:
        return {}
    file = sight.file
    found = find_renames(connection, contract, file.path, file.header, columns, added)
    changes = {}
    for rename in found:
        if rename.is_recased:
            changes[rename.old] = recased(contract, rename.old, rename.new)
        elif sight.row_count >= JUDGED_FROM_ROWS or sight.has_header:
            told = _proposal(rename.new, rename.evidence, columns[rename.old])
            changes[rename.old] = Change(rename.old, "renamed", told, rename.new)
    return changes


def recased(contract: Contract, old: str, new: str) -> Change:
    """The change of a key that is written in other letters."""
    column = known_keys(contract)[old][0]
    told = _proposal(new, "the same name in other letters", column)
    return Change(old, "recased", told, new)


def _proposal(new: str, evidence: str, column: Column) -> str:
    return f"now {new}: {evidence}; if so, add it to the aliases of {column.name}"
