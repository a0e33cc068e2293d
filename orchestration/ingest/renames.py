"""Renames: whether a column that is gone and one that is new are the same column.

A name that differs only in case or separators is the same column. Otherwise the values decide: they
must fit the contract's type, and either the names are alike or the values are known ones.
"""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

import duckdb

from orchestration.ingest import reading
from orchestration.ingest.casting import cast_sql
from orchestration.ingest.contracts import Column, Contract
from orchestration.ingest.tables import quoted

_SAMPLE_ROWS = 500
_KNOWN_VALUES = 50_000
_FITS_FROM = 0.9
_ALIKE_FROM = 0.5


@dataclass(frozen=True)
class Rename:
    """A column under a new name.

    Args:
        old: Key that the contract reads.
        new: Key that the delivery has instead.
        is_recased: Only case or separators differ.
        evidence: What speaks for it, for people.
    """

    old: str
    new: str
    is_recased: bool
    evidence: str


def find_renames(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    path: Path,
    header: tuple[str, ...],
    gone: dict[str, Column],
    added: list[str],
) -> list[Rename]:
    """The renames among columns of one delivery that are gone and that are new.

    Args:
        connection: The warehouse, whose raw rows tell known values.
        contract: The table's contract.
        path: The delivery's file as the reader takes it.
        header: Its header; empty for JSON.
        gone: Keys of the contract that no row has, with their column.
        added: Keys that the contract does not know.
    """
    found = []
    free = list(added)
    for old in sorted(gone):
        same = [new for new in free if is_recased(old, new)]
        if same:
            found.append(Rename(old, same[0], True, "the same name in other letters"))
            free.remove(same[0])
    waiting = {old: c for old, c in gone.items() if old not in {r.old for r in found}}
    if not waiting or not free:
        return found
    samples = _samples(connection, contract, path, header, free)
    scored = []
    for old, column in waiting.items():
        known = _known_values(connection, contract, column)
        if not column.is_required and not known:
            continue
        for new in free:
            values = samples.get(new, [])
            if not values:
                continue
            alike = SequenceMatcher(None, _plain(old), _plain(new)).ratio()
            fitting = _fitting(connection, column, values)
            shared = sum(value in known for value in values) / len(values)
            if fitting >= _FITS_FROM and max(alike, shared) >= _ALIKE_FROM:
                told = f"{fitting:.0%} of its values fit, {shared:.0%} are known ones"
                scored.append((alike + shared + fitting, old, new, told))
    for _, old, new, told in sorted(scored, reverse=True):
        if new in free and old in waiting:
            found.append(Rename(old, new, False, told))
            free.remove(new)
            del waiting[old]
    return found


def is_recased(old: str, new: str) -> bool:
    """Whether two keys of one object differ only in case or separators."""
    return old.rpartition(".")[0] == new.rpartition(".")[0] and _plain(old) == _plain(new)


def _plain(name: str) -> str:
    return re.sub(r"[^0-9a-z]", "", name.casefold())


def _samples(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    path: Path,
    header: tuple[str, ...],
    keys: list[str],
) -> dict[str, list[str]]:
    """Values of some keys in the first records of a file."""
    lines = reading.lines_sql([reading.InputFile(path)])
    payloads = connection.execute(
        f"select {reading.payload_sql(contract)} from ({lines}) limit {_SAMPLE_ROWS}"
    ).fetchall()
    found: dict[str, list[str]] = {key: [] for key in keys}
    for (payload,) in payloads:
        for key in keys:
            value = _value(contract, payload, header, key)
            if value not in (None, ""):
                found[key].append(value if isinstance(value, str) else json.dumps(value))
    return found


def _value(contract: Contract, payload: str, header: tuple[str, ...], key: str) -> object:
    try:
        if not contract.is_json:
            fields = next(csv.reader([payload], delimiter=contract.delimiter))
            return dict(zip(header, fields, strict=True)).get(key)
        value = json.loads(payload)
        for part in [key] if contract.is_flat else key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return value
    except (ValueError, csv.Error, RecursionError, StopIteration):
        return None


def _known_values(
    connection: duckdb.DuckDBPyConnection, contract: Contract, column: Column
) -> set[str]:
    """Values that the column had before, or has in other deliveries of the batch."""
    place = contract.columns.index(column) + 1
    rows = connection.execute(
        f"""
        (select distinct {quoted(column.name)}::text from {contract.table}
        where {quoted(column.name)} is not null limit {_KNOWN_VALUES})
        union
        (select distinct c{place}::text from batch where c{place} is not null
        limit {_KNOWN_VALUES})
        """
    ).fetchall()
    return {value for (value,) in rows}


def _fitting(connection: duckdb.DuckDBPyConnection, column: Column, values: list[str]) -> float:
    """The share of the values that the column's type and closed set take."""
    if column.allowed_values:
        return sum(value in column.allowed_values for value in values) / len(values)
    row = connection.execute(
        f"select count({cast_sql(column, 'v')}) from (select unnest(?::text[]) as v)",
        [values],
    ).fetchone()
    return (row[0] if row else 0) / len(values)
