"""Contract diff: what changed between two ODCS contracts, and whom it breaks.

A source contract is a promise to us: what breaks it is what a deliverer or our models must follow.
A product contract is our promise to readers: what breaks it is what they may have relied on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from open_data_contract_standard.model import (
    OpenDataContractStandard,
    SchemaObject,
    SchemaProperty,
)
from pydantic import ValidationError

from orchestration.errors import EXIT_USAGE, JourneylineError

_WIDER = {
    ("date", "timestamp"): False,
    ("integer", "bigint"): True,
    ("integer", "double"): True,
    ("float", "double"): True,
    ("smallint", "integer"): True,
    ("smallint", "bigint"): True,
}
_SECRECY = ("public", "internal", "pseudonymous", "confidential", "direct_identifier")
_DECIMAL = re.compile(r"decimal\((\d+), ?(\d+)\)")


@dataclass(frozen=True)
class ContractChange:
    """One difference.

    Args:
        table: Table of the contract.
        column: Column that it is about; None when it is about the table.
        change: What changed, in a word.
        is_breaking: Whether somebody has to follow it.
        why: Who, and why; or why nobody.
    """

    table: str
    column: str | None
    change: str
    is_breaking: bool
    why: str


@dataclass(frozen=True)
class ContractDiff:
    """All differences between two contracts.

    Args:
        changes: In the order of tables and columns.
        old_version: Version of the old contract.
        new_version: Version of the new one.
    """

    changes: tuple[ContractChange, ...]
    old_version: str
    new_version: str

    @property
    def is_breaking(self) -> bool:
        """Whether any of them breaks."""
        return any(change.is_breaking for change in self.changes)

    @property
    def needs_major(self) -> bool:
        """Whether it breaks although the major version is the same."""
        return self.is_breaking and _major(self.old_version) == _major(self.new_version)


def diff_contracts(old: Path, new: Path) -> ContractDiff:
    """Compare two contract files.

    Raises:
        JourneylineError: One of them is no ODCS contract, or they are of different kinds.
    """
    before, after = _read(old), _read(new)
    is_source = _is_source(before)
    if is_source != _is_source(after):
        raise JourneylineError(
            "A source contract and a product contract cannot be compared.",
            where=f"{old}, {new}",
            next_step="Give two versions of one contract.",
            exit_code=EXIT_USAGE,
        )
    tables_before = {table.name or "": table for table in before.schema_ or []}
    tables_after = {table.name or "": table for table in after.schema_ or []}
    changes: list[ContractChange] = []
    for name in [*tables_before, *(n for n in tables_after if n not in tables_before)]:
        if name not in tables_after:
            changes.append(ContractChange(name, None, "table removed", True, "its users lose it"))
        elif name not in tables_before:
            changes.append(ContractChange(name, None, "table added", False, "nobody relied on it"))
        else:
            compare = _source_columns if is_source else _product_columns
            changes += compare(name, tables_before[name], tables_after[name])
            changes += _keys(name, tables_before[name], tables_after[name])
    table = next(iter(tables_after), "")
    changes += _custom(table, before, after)
    return ContractDiff(tuple(changes), before.version or "", after.version or "")


def _source_columns(
    table: str, before: SchemaObject, after: SchemaObject
) -> Iterator[ContractChange]:
    old, new = _columns(before), _columns(after)
    for name, column in old.items():
        if name not in new:
            yield ContractChange(
                table, name, "removed", True, "models that read it lose it; deliveries keep it"
            )
            continue
        now = new[name]
        yield from _types(table, name, column, now)
        if column.required and not now.required:
            yield ContractChange(
                table, name, "may be missing", True, "models may meet rows without a value"
            )
        if now.required and not column.required:
            yield ContractChange(
                table, name, "became required", True, "rows without a value are quarantined now"
            )
        yield from _sets(table, name, column, now, is_source=True)
        paths_before = {column.physicalName or name, *_aliases(column)}
        paths_after = {now.physicalName or name, *_aliases(now)}
        for path in sorted(paths_before - paths_after):
            yield ContractChange(
                table, name, "no longer read from " + path, True,
                "deliveries that have it there are read without it",
            )  # fmt: skip
        for path in sorted(paths_after - paths_before):
            yield ContractChange(
                table, name, "also read from " + path, False, "nothing was read from there"
            )
        yield from _words(table, name, column, now)
    for name, column in new.items():
        if name not in old:
            why = (
                "rows without a value are quarantined"
                if column.required
                else "it is null where a delivery lacks it"
            )
            yield ContractChange(table, name, "added", bool(column.required), why)


def _product_columns(
    table: str, before: SchemaObject, after: SchemaObject
) -> Iterator[ContractChange]:
    old, new = _columns(before), _columns(after)
    for name, column in old.items():
        if name not in new:
            yield ContractChange(table, name, "removed", True, "readers who select it fail")
            continue
        now = new[name]
        yield from _types(table, name, column, now)
        if column.required and not now.required:
            yield ContractChange(
                table, name, "may be null", True, "readers may rely on a value in every row"
            )
        if now.required and not column.required:
            yield ContractChange(table, name, "is never null", False, "a promise more")
        yield from _sets(table, name, column, now, is_source=False)
        yield from _words(table, name, column, now)
    for name in new:
        if name not in old:
            yield ContractChange(table, name, "added", False, "nobody relied on it")


def _types(
    table: str, name: str, old: SchemaProperty, new: SchemaProperty
) -> Iterator[ContractChange]:
    before, after = (old.physicalType or "").lower(), (new.physicalType or "").lower()
    if before == after:
        return
    change = f"{before} became {after}"
    if _is_wider(before, after):
        yield ContractChange(table, name, change, False, "every value of before fits")
    else:
        yield ContractChange(table, name, change, True, "values of before may not fit")


def _is_wider(before: str, after: str) -> bool:
    old, new = _DECIMAL.fullmatch(before), _DECIMAL.fullmatch(after)
    if old and new:
        scale = int(new[2]) - int(old[2])
        return scale >= 0 and int(new[1]) - int(old[1]) >= scale
    return _WIDER.get((before, after), False)


def _sets(
    table: str, name: str, old: SchemaProperty, new: SchemaProperty, *, is_source: bool
) -> Iterator[ContractChange]:
    before, after = _allowed(old), _allowed(new)
    if before == after:
        return
    if not before or not after:
        closed = bool(after)
        why = (
            ("other values are quarantined now" if is_source else "a promise more")
            if closed
            else ("models may meet any value" if is_source else "readers may meet any value")
        )
        change = "closed set declared" if closed else "closed set dropped"
        yield ContractChange(table, name, change, is_source if closed else not is_source, why)
        return
    for value in sorted(before - after):
        why = "it is quarantined now" if is_source else "it no longer occurs"
        yield ContractChange(table, name, f"value {value} removed", is_source, why)
    for value in sorted(after - before):
        why = "it was quarantined" if is_source else "readers who list all values meet a new one"
        yield ContractChange(table, name, f"value {value} added", not is_source, why)


def _words(
    table: str, name: str, old: SchemaProperty, new: SchemaProperty
) -> Iterator[ContractChange]:
    before, after = old.classification or "", new.classification or ""
    if before != after:
        looser = before in _SECRECY and after in _SECRECY
        looser = looser and _SECRECY.index(after) < _SECRECY.index(before)
        why = "whoever protects personal data has to agree" if looser else "protected more"
        change = f"{before} became {after}"
        yield ContractChange(table, name, change, looser, why)
    if (old.description or "").strip() != (new.description or "").strip():
        yield ContractChange(table, name, "described otherwise", False, "no value changes")


def _keys(table: str, old: SchemaObject, new: SchemaObject) -> Iterator[ContractChange]:
    before, after = _key(old), _key(new)
    if before != after:
        change = f"key ({', '.join(before)}) became ({', '.join(after)})"
        yield ContractChange(table, None, change, True, "other rows count as the same")


def _custom(
    table: str, old: OpenDataContractStandard, new: OpenDataContractStandard
) -> Iterator[ContractChange]:
    before, after = _properties(old), _properties(new)
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            change = f"{name}: {before.get(name)} became {after.get(name)}"
            is_breaking, why = _custom_verdict(name, before.get(name), after.get(name))
            yield ContractChange(table, None, change, is_breaking, why)


def _custom_verdict(name: str, before: Any, after: Any) -> tuple[bool, str]:
    if name == "rateBound" and isinstance(before, int | float) and isinstance(after, int | float):
        tighter = after < before
        return tighter, "deliveries are held earlier" if tighter else "deliveries are held later"
    if name == "driftPolicy":
        order = ("evolve", "quarantine", "stop")
        tighter = before in order and after in order and order.index(after) > order.index(before)
        return tighter, "drift is taken less easily" if tighter else "drift is taken more easily"
    if name == "finalNewline":
        return bool(after), "files without a final newline are refused" if after else "they are not"
    if name == "feeds":
        lost = set(before or []) - set(after or [])
        return bool(lost), "events are missing from it" if lost else "its events come in addition"
    return True, "deliveries are read otherwise"


def _columns(table: SchemaObject) -> dict[str, SchemaProperty]:
    return {column.name or "": column for column in table.properties or []}


def _key(table: SchemaObject) -> tuple[str, ...]:
    keyed = [column for column in table.properties or [] if column.primaryKey]
    return tuple(c.name or "" for c in sorted(keyed, key=lambda c: c.primaryKeyPosition or 0))


def _allowed(column: SchemaProperty) -> set[str]:
    return {str(choice.value) for choice in column.enum or []}


def _aliases(column: SchemaProperty) -> list[str]:
    for custom in column.customProperties or []:
        if custom.property == "aliases" and isinstance(custom.value, list):
            return [str(alias) for alias in custom.value]
    return []


def _properties(contract: OpenDataContractStandard) -> dict[str, Any]:
    return {item.property or "": item.value for item in contract.customProperties or []}


def _is_source(contract: OpenDataContractStandard) -> bool:
    return any((table.physicalName or "").startswith("raw.") for table in contract.schema_ or [])


def _major(version: str) -> str:
    return version.split(".")[0]


def _read(path: Path) -> OpenDataContractStandard:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        return OpenDataContractStandard(**document)
    except (OSError, UnicodeDecodeError, ValidationError, yaml.YAMLError, TypeError) as error:
        raise JourneylineError(
            f"The contract cannot be read: {error}.",
            where=str(path),
            next_step="Give two ODCS files, such as those in data_contracts/.",
            exit_code=EXIT_USAGE,
        ) from error
