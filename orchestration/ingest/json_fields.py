"""JSON fields: where in a record the columns of a contract are, and reading many of them in one go.

Belongs here: keys, paths and structs of a record, and how deep it nests. What becomes of the texts
that are found there does not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from orchestration.ingest.contracts import Column, Contract
from orchestration.ingest.tables import quoted


def known_keys(contract: Contract) -> dict[str, list[Column]]:
    """Every key the contract reads or passes, with the columns that stand on it."""
    found: dict[str, list[Column]] = {}
    for column in contract.columns:
        for path in (column.path, *column.aliases):
            for prefix in [path] if contract.is_flat else _prefixes(path):
                found.setdefault(prefix, []).append(column)
    return found


def json_parents(contract: Contract) -> list[str]:
    """Objects of an NDJSON record whose keys the contract speaks about; '' is the record."""
    found = {""}
    if not contract.is_flat:
        for column in contract.columns:
            for path in (column.path, *column.aliases):
                found.update(_prefixes(path)[:-1])
    return sorted(found)


def wanted_paths(contract: Contract) -> list[str]:
    """The columns' own paths, then all aliases, in the order in which a list of texts has them."""
    own = [column.path for column in contract.columns]
    return own + [alias for column in contract.columns for alias in column.aliases]


def json_path(contract: Contract, path: str) -> str:
    """A contract's path as DuckDB reads one."""
    return f'$."{path}"' if contract.is_flat else nested_path(path)


def nested_path(path: str) -> str:
    """A path of keys, with or without places in arrays, as DuckDB reads one."""
    steps: list[tuple[str, str]] = re.findall(r"([^.\[\]]+)((?:\[\d+\])*)", path)
    return "$" + "".join(f'."{name}"{index}' for name, index in steps)


def keys_of(contract: Contract, path: str) -> tuple[str, ...]:
    """The keys of a path that goes into no array, from the outermost on."""
    return (path,) if contract.is_flat else tuple(path.split("."))


def record_structure(contract: Contract) -> str | None:
    """The structure (see `structure_of`) of a contract's records; None where they have none."""
    paths = wanted_paths(contract)
    if contract.format not in ("ndjson", "json", "parquet") or (
        not contract.is_flat and any("[" in path for path in paths)
    ):
        return None
    return structure_of(keys_of(contract, path) for path in paths)


def structure_of(paths: Iterable[tuple[str, ...]]) -> str | None:
    """The structure by which `json_transform` takes every path as text; JSON itself.

    Twice as fast as a list of paths. None where the paths cannot be fields of one struct: one goes
    into an array or below another one, or two names differ in case alone.

    Args:
        paths: The keys of each path from the outermost on.
    """
    root: dict[str, Any] = {}
    for path in paths:
        place = root
        for key in path[:-1]:
            place = place.setdefault(key, {})
            if not isinstance(place, dict):
                return None
        if isinstance(place.get(path[-1]), dict):
            return None
        place[path[-1]] = "VARCHAR"
    return json.dumps(root, ensure_ascii=False) if _is_told_apart(root) else None


def field_sql(struct: str, path: tuple[str, ...]) -> str:
    """The field of such a struct that has the text of a path."""
    return ".".join([struct, *(quoted(key) for key in path)])


def json_depth(text: str) -> int:
    """How deep the brackets outside strings nest."""
    depth = deepest = 0
    for token in re.finditer(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', text):
        sign = token.group()
        if sign in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif sign in "]}":
            depth -= 1
    return deepest


def _prefixes(path: str) -> list[str]:
    parts = path.split("[")[0].split(".")
    return [".".join(parts[: n + 1]) for n in range(len(parts))]


def _is_told_apart(structure: dict[str, Any]) -> bool:
    folded = {key.casefold() for key in structure}
    inner = [value for value in structure.values() if isinstance(value, dict)]
    return len(folded) == len(structure) and all(_is_told_apart(value) for value in inner)
