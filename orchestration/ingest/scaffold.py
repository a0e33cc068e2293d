"""Scaffold: a first contract guessed from a sample, with every guess marked as one.

A guess is a beginning for a person: types from values, keys from uniqueness, classes of personal
data from names and values. When in doubt it is the stricter class and the looser type.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

import yaml

from orchestration.ingest.sampling import Sample

_ID = re.compile(
    r"(^|_)(id|ids|uuid|guid|key|code|number|no|zip|postcode|phone|mobile|version|version_string)$"
)
_DIRECT = re.compile(
    r"(^|_)(e?mail|email_address|phone|mobile|fax|first_name|last_name|full_name|surname|forename"
    r"|name|address|street|zip|postcode|birth\w*|dob|ip|body|comment|message|subject|text|note|iban"
    r"|ssn|passport)(_|$)"
)
_CONFIDENTIAL = re.compile(
    r"(^|_)(user|customer|contact|member|person|anonymous|device|distinct)_id$"
)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[a-zA-Z]{2,}")
_PHONE = re.compile(r"\+?[0-9][0-9 ()/.-]{6,}[0-9]")
_IP = re.compile(r"\d{1,3}(\.\d{1,3}){3}")
_INTEGER = re.compile(r"-?(0|[1-9]\d{0,17})")
_DECIMAL = re.compile(r"-?\d{1,14}\.\d{1,4}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z| ?[+-]\d\d(:?\d\d)?)?")
_EPOCH = re.compile(r"1\d{9}(\.\d+)?|1\d{12}|1\d{15}")
_TIME_NAME = re.compile(r"(^|_)(at|time|timestamp|ts|date|created|updated|modified)$")
_VERSION_NAME = re.compile(r"(^|_)(updated|modified|last_?modified|changed)(_|$)")
_MOSTLY = 0.5
_LOGICAL = {"text": "string", "json": "string", "bigint": "integer", "boolean": "boolean"}
_LOGICAL |= {"date": "date", "timestamp": "timestamp", "decimal(18,4)": "number"}


@dataclass(frozen=True)
class Guess:
    """One column as guessed."""

    name: str
    path: str
    physical_type: str
    classification: str
    is_required: bool
    is_zoneless: bool
    told: str


def scaffold_contract(source: str, entity: str, sample: Sample) -> str:
    """The text of an ODCS contract for a table, guessed from a sample.

    Args:
        source: Source system.
        entity: Table of the source.
        sample: Its first records.
    """
    columns = _columns(entity, sample)
    key = _key(entity, columns, sample)
    version = _version(columns) if key else None
    table = f"{source}__{entity}"
    rows = len(sample.records)
    purpose = f"GUESS, from {rows} rows: say here what one row of {source}/{entity} is."
    document: dict[str, Any] = {
        "version": "0.1.0",
        "apiVersion": "v3.2.0",
        "kind": "DataContract",
        "id": f"journeyline-source-{source}-{entity}".replace("_", "-"),
        "name": f"{source}/{entity}",
        "status": "draft",
        "domain": source,
        "description": {
            "purpose": purpose,
            "usage": "Loaded as text, typed by explicit casts, appended to the raw table.",
        },
        "team": {"name": f"{source}-owners", "description": "GUESS: name the team that answers."},
        "schema": [
            {
                "name": table,
                "physicalName": f"raw.{table}",
                "physicalType": "table",
                "logicalType": "object",
                "description": purpose,
                "dataGranularityDescription": "One row per distinct version of a record."
                if version
                else "One row per event.",
                "properties": [_property(column, key) for column in columns],
            }
        ],
        "slaProperties": [
            {
                "property": "latency",
                "value": 1,
                "unit": "d",
                "element": table,
                "description": "The newest delivery is at most this old.",
            }
        ],
        "customProperties": _custom(sample, version),
    }
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
    return (
        "# A first guess by `journeyline sources scaffold`. Check what says GUESS or is tagged\n"
        "# `guess`: meanings, types, key, classes of personal data; then set status to active.\n"
    ) + text


def guessed_name(path: str, entity: str, physical_type: str = "text") -> str:
    """A column's name from its path: words in lower case; an instant ends in `_at`."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", path)
    name = re.sub(r"[^0-9a-z]+", "_", words.casefold()).strip("_") or "column"
    if name == "id":
        name = f"{_singular(entity)}_id"
    if physical_type == "timestamp" and not name.endswith("_at"):
        name = re.sub(r"_?(timestamp|time|date|ts)$", "", name) or "occurred"
        name += "_at"
    return f"c_{name}" if name[0].isdigit() else name


def _columns(entity: str, sample: Sample) -> list[Guess]:
    found: list[Guess] = []
    for path in sample.paths:
        values = [record[path] for record in sample.records if path in record]
        plain = guessed_name(path, entity)
        kind = "json" if path in sample.containers else _type(plain, values)
        name = guessed_name(path, entity, kind)
        if name in {guess.name for guess in found}:
            name = plain
        while name in {guess.name for guess in found}:
            name += "_2"
        zoneless = kind == "timestamp" and any(not _has_zone(value) for value in values)
        found.append(
            Guess(
                name=name,
                path=path,
                physical_type=kind,
                classification=_class(plain, kind, values),
                is_required=len(values) == len(sample.records),
                is_zoneless=zoneless,
                told=_told(plain, kind, values, len(sample.records)),
            )
        )
    return found


def _type(name: str, values: list[str]) -> str:
    def all_are(pattern: re.Pattern[str]) -> bool:
        return all(pattern.fullmatch(value) for value in values)

    if not values:
        return "text"
    if {value.lower() for value in values} <= {"true", "false"}:
        return "boolean"
    if _TIME_NAME.search(name) and all_are(_EPOCH):
        return "timestamp"
    if all_are(_DATE):
        return "date"
    if all(_INSTANT.fullmatch(value) or _DATE.fullmatch(value) for value in values):
        return "timestamp"
    if not _ID.search(name):
        # An identifier is never a number: it would lose its zeros, or its last digits.
        if all_are(_INTEGER):
            return "bigint"
        if all(_DECIMAL.fullmatch(value) or _INTEGER.fullmatch(value) for value in values):
            return "decimal(18,4)"
    return "text"


def _class(name: str, kind: str, values: list[str]) -> str:
    texts = values if kind in ("text", "json") else []
    for pattern in (_EMAIL, _IP):
        hits = sum(bool(pattern.search(value)) for value in texts)
        if hits > _MOSTLY * len(values):
            return "direct_identifier"
    is_phone = sum(bool(_PHONE.fullmatch(value)) for value in texts) > _MOSTLY * len(values)
    is_named = bool(_DIRECT.search(name)) and kind in ("text", "date")
    if is_named or (is_phone and not name.endswith("id")):
        return "direct_identifier"
    return "confidential" if _CONFIDENTIAL.search(name) or kind == "json" else "internal"


def _told(name: str, kind: str, values: list[str], rows: int) -> str:
    told = f"GUESS: {name.replace('_', ' ')}; {kind}, in {len(values)} of {rows} rows"
    counted = Counter(values)
    is_code = kind == "text" and len(values) >= 20 and len(counted) <= min(8, len(values) // 5)
    if is_code and _class(name, kind, values) == "internal":
        told += f"; its values may be a closed set: {', '.join(sorted(counted))[:200]}"
    return f"{told}."


def _key(entity: str, columns: list[Guess], sample: Sample) -> str | None:
    """The column that tells rows apart: unique, never missing, and named like an identifier."""
    rows = len(sample.records)
    unique = [
        column
        for column in columns
        if column.is_required
        and column.physical_type == "text"
        and len({record[column.path] for record in sample.records}) == rows
    ]
    wanted = f"{_singular(entity)}_id"
    ranked = sorted(
        (column for column in unique if column.name.endswith(("id", "uuid", "guid", "key"))),
        key=lambda column: (column.name != wanted, columns.index(column)),
    )
    return ranked[0].name if ranked else None


def _version(columns: list[Guess]) -> str | None:
    found = [
        column.name
        for column in columns
        if column.physical_type == "timestamp"
        and column.is_required
        and _VERSION_NAME.search(column.name)
    ]
    return found[0] if found else None


def _property(column: Guess, key: str | None) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": column.name,
        "physicalName": column.path,
        "description": column.told,
        "logicalType": _LOGICAL[column.physical_type],
        "physicalType": column.physical_type,
        "required": column.is_required,
        "classification": column.classification,
        "tags": ["guess"],
    }
    if column.is_zoneless:
        told["description"] = f"{column.told[:-1]}; it names no zone, UTC is a guess."
        told["logicalTypeOptions"] = {"defaultTimezone": "UTC"}
    if column.name == key:
        told["primaryKey"] = True
        told["primaryKeyPosition"] = 1
    return told


def _custom(sample: Sample, version: str | None) -> list[dict[str, Any]]:
    found: dict[str, Any] = {"format": sample.format}
    if sample.format == "csv" and sample.delimiter != ",":
        found["delimiter"] = sample.delimiter
    if version:
        found["versionColumn"] = version
    else:
        found["eventTable"] = True
    found |= {"rateBound": 0.05, "finalNewline": sample.has_final_newline}
    found["driftPolicy"] = "evolve"
    return [{"property": name, "value": value} for name, value in found.items()]


def _singular(entity: str) -> str:
    if entity.endswith("ies"):
        return f"{entity[:-3]}y"
    return entity[:-1] if entity.endswith("s") and not entity.endswith("ss") else entity


def _has_zone(value: str) -> bool:
    return bool(_EPOCH.fullmatch(value) or re.search(r"(Z|[+-]\d\d(:?\d\d)?)$", value[10:]))
