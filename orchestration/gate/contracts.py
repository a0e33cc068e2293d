"""Product contracts: what a published table must be, read from `data_contracts/products/`.

Belongs here: reading the Open Data Contract Standard files into frozen facts. How they are
checked belongs to `checks`, what is published by them to `orchestration.publish`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from orchestration.errors import EXIT_USAGE, JourneylineError

CLASSIFICATIONS = ("public", "internal", "confidential", "pseudonymous")
DIRECT_IDENTIFIER = "direct_identifier"
_NAME = re.compile(r"^[a-z][a-z0-9_]*\Z")
_TYPE = re.compile(r"^[A-Z]+(\(\d+(,\s*\d+)?\))?\Z")
_SYNONYMS = {"TEXT": "VARCHAR", "STRING": "VARCHAR", "INT": "INTEGER", "NUMBER": "DOUBLE"}


@dataclass(frozen=True)
class ProductColumn:
    """One published column.

    Args:
        name: Name in the warehouse and in the release.
        data_type: DuckDB's name of the type.
        description: Meaning, unit and null rule.
        classification: Class of personal data; never a direct identifier.
        is_required: Never null.
        is_unique: No value twice.
        key_position: Position in the primary key, from 1; None outside of it.
        unit: Unit of a number, if it has one.
        allowed: The closed set of its values, if there is one.
        minimum: Smallest value allowed.
        maximum: Largest value allowed.
        references: Table and column that a foreign key points to.
    """

    name: str
    data_type: str
    description: str
    classification: str
    is_required: bool = False
    is_unique: bool = False
    key_position: int | None = None
    unit: str | None = None
    allowed: tuple[str, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None
    references: tuple[str, str] | None = None


@dataclass(frozen=True)
class SmallCells:
    """Cells about so few people that they are not shown.

    Args:
        by: Column that says what a row is sliced by.
        values: Slices that it is about, such as agent and department.
        people: Column that counts those in the cell.
        at_least: People from which a cell is shown.
        hidden: Columns that are null in a smaller cell.
    """

    by: str
    values: tuple[str, ...]
    people: str
    at_least: int
    hidden: tuple[str, ...]

    @property
    def condition(self) -> str:
        """SQL that is true for a cell that is too small."""
        listed = ", ".join("'" + value.replace("'", "''") + "'" for value in self.values)
        return f"{self.by} in ({listed}) and coalesce({self.people}, 0) < {self.at_least}"


@dataclass(frozen=True)
class ProductContract:
    """One published table.

    Args:
        table: Name in the release.
        schema: Schema of the table of that name in the warehouse.
        version: Version of the contract.
        description: What the table holds, with its grain.
        owner: Who answers for it.
        severity: What a broken rule does: `error` refuses the release, `warning` is reported.
        columns: The published columns, in order; nothing else is published.
        sort_key: Columns that order its rows, the same in every run.
        month_column: Column whose month names the Parquet file; None for one file.
        sha256: Hash of the contract's file.
        small_cells: Cells that are suppressed; None where no row is about a group of people.
        served_until: Last as-of day of an old version that is served beside its successor.
    """

    table: str
    schema: str
    version: str
    description: str
    owner: str
    severity: str
    columns: tuple[ProductColumn, ...]
    sort_key: tuple[str, ...]
    month_column: str | None
    sha256: str
    served_until: date | None = None
    small_cells: SmallCells | None = None

    @property
    def key(self) -> tuple[str, ...]:
        """Columns of the primary key, in order."""
        positions = {c.key_position: c.name for c in self.columns if c.key_position is not None}
        return tuple(positions[position] for position in sorted(positions))

    def column(self, name: str) -> ProductColumn | None:
        """The column of that name, if the contract has one."""
        return next((column for column in self.columns if column.name == name), None)


def load_product_contracts(folder: Path) -> tuple[ProductContract, ...]:
    """Read every `*.odcs.yaml` under `folder`, ordered by table.

    Raises:
        JourneylineError: A file cannot be read or says something that cannot be (exit 2).
    """
    paths = sorted(folder.glob("*.odcs.yaml"))
    if not paths:
        raise JourneylineError(
            "There is no product contract, so nothing may be published.",
            str(folder),
            "Restore data_contracts/products/ from the project.",
            EXIT_USAGE,
        )
    return tuple(sorted((_load(path) for path in paths), key=lambda contract: contract.table))


def _load(path: Path) -> ProductContract:
    content = path.read_bytes()
    try:
        document = yaml.safe_load(content)
        contract = _contract(document, hashlib.sha256(content).hexdigest())
    except (yaml.YAMLError, KeyError, TypeError, ValueError, IndexError) as error:
        raise JourneylineError(
            f"The product contract cannot be used: {error}",
            str(path),
            "Correct the field; the other files in the folder show the shape.",
            EXIT_USAGE,
        ) from error
    return contract


def _contract(document: Mapping[str, Any], sha256: str) -> ProductContract:
    (schema,) = document["schema"]
    custom = _custom_properties(schema)
    contract = ProductContract(
        table=_name(schema["name"]),
        schema=_name(custom["warehouseSchema"]),
        version=_version(document["version"]),
        description=f"{schema['dataGranularityDescription']} {schema['description']}",
        owner=document["team"]["name"],
        severity=custom.get("severity", "error"),
        columns=tuple(_column(column) for column in schema["properties"]),
        sort_key=tuple(_name(name) for name in custom["sortKey"]),
        month_column=custom.get("monthColumn"),
        sha256=sha256,
        served_until=_day(custom.get("servedUntil")),
        small_cells=_small_cells(custom.get("smallCells")),
    )
    cells = contract.small_cells
    named = [cells.by, cells.people, *cells.hidden] if cells else []
    for name in (*contract.sort_key, *filter(None, [contract.month_column]), *named):
        if contract.column(name) is None:
            raise ValueError(f"{name} is in sortKey, monthColumn or smallCells but is no column")
    month = contract.column(contract.month_column) if contract.month_column else None
    if month is not None and not month.is_required:
        raise ValueError(f"monthColumn {month.name} has to be required: every row has a file")
    return contract


def _small_cells(value: Mapping[str, Any] | None) -> SmallCells | None:
    if value is None:
        return None
    return SmallCells(
        by=_name(value["by"]),
        values=tuple(str(slice_) for slice_ in value["values"]),
        people=_name(value["people"]),
        at_least=int(value.get("atLeast", 5)),
        hidden=tuple(_name(name) for name in value["hidden"]),
    )


def _version(value: object) -> str:
    if not re.match(r"^\d+\.\d+\.\d+$", str(value)):
        raise ValueError(f"version {value!r} is not major.minor.patch")
    return str(value)


def _day(value: object) -> date | None:
    if value is None or isinstance(value, date):
        return value
    return date.fromisoformat(str(value))


def _column(entry: Mapping[str, Any]) -> ProductColumn:
    options = entry.get("logicalTypeOptions", {})
    classification = entry["classification"]
    if classification not in CLASSIFICATIONS:
        raise ValueError(
            f"column {entry['name']} has classification {classification}; a published column "
            f"may be {', '.join(CLASSIFICATIONS)}"
        )
    target = next((r["to"] for r in entry.get("relationships", [])), None)
    return ProductColumn(
        name=_name(entry["name"]),
        data_type=_type(entry["physicalType"]),
        description=entry["description"],
        classification=classification,
        is_required=bool(entry.get("required", False)),
        is_unique=bool(entry.get("unique", False)),
        key_position=entry.get("primaryKeyPosition") if entry.get("primaryKey") else None,
        unit=_custom_properties(entry).get("unit"),
        allowed=_allowed(entry),
        minimum=options.get("minimum"),
        maximum=options.get("maximum"),
        references=_reference(target) if target else None,
    )


def _reference(target: str) -> tuple[str, str]:
    table, column = target.split(".")
    return _name(table), _name(column)


def _allowed(entry: Mapping[str, Any]) -> tuple[str, ...] | None:
    for rule in entry.get("quality", []):
        if rule.get("metric") == "invalidValues":
            return tuple(_word(str(value)) for value in rule["arguments"]["validValues"])
    return None


def _word(value: str) -> str:
    # DuckDB ends a statement at it, wherever it stands.
    if "\0" in value:
        raise ValueError(f"{value!r} holds the character NUL, which no value can hold")
    return value


def _custom_properties(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {item["property"]: item["value"] for item in entry.get("customProperties", [])}


def _name(value: str) -> str:
    if not _NAME.match(value):
        raise ValueError(f"{value!r} is not a name (lower case letters, digits, underscores)")
    return value


def _type(value: str) -> str:
    upper = value.upper().strip()
    if not _TYPE.match(upper):
        raise ValueError(f"{value!r} is not a type")
    return _SYNONYMS.get(upper, upper)
