"""Source contracts: what a delivered table must look like, read from ODCS YAML and proved.

Nothing here reads a delivery; the loader derives the raw schema and the row rules from these facts.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from open_data_contract_standard.model import OpenDataContractStandard, SchemaProperty
from pydantic import ValidationError

from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.ingest.speaking import spoken_columns
from orchestration.settings import Settings

ODCS_VERSION = "v3.2.0"
TYPES = ("text", "bigint", "boolean", "date", "timestamp", "json")
FORMATS = ("ndjson", "csv", "json", "parquet", "xlsx")
# Encodings of text files; a byte order mark of UTF-8 or UTF-16 is taken off.
ENCODINGS = ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "iso-8859-1", "windows-1252")
DELIMITERS = (",", ";", "\t", "|")
DRIFT_POLICIES = ("evolve", "quarantine", "stop")
# What a table can be fed into without a model that names it (dbt_project/macros/feeds.sql).
FEEDS = (
    "app_events",
    "crm_companies",
    "crm_contacts",
    "crm_deals",
    "email_activities",
    "email_members",
    "support_tickets",
    "support_users",
    "survey_responses",
    "ticket_comments",
    "ticket_ratings",
)
CLASSIFICATIONS = ("public", "internal", "confidential", "direct_identifier")
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Parts of a time's form, and what strptime calls them; it takes one digit or two.
_TIME_SIGNS = {
    **{"yyyy": "%Y", "MM": "%m", "M": "%m", "dd": "%d", "d": "%d", "HH": "%H", "H": "%H"},
    **{"hh": "%I", "h": "%I", "mm": "%M", "ss": "%S", "a": "%p"},
}
_DECIMAL = re.compile(r"decimal\(\d+, ?\d+\)")
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Column:
    """One column of a source table.

    Args:
        name: Column of the raw table.
        path: JSON path or CSV header it is read from.
        physical_type: text, bigint, boolean, date, timestamp, json or decimal(p,s).
        meaning: What the value says.
        classification: Class of personal data.
        is_required: Whether a row without a value is quarantined.
        key_position: Place in the key, from 1; None outside the key.
        allowed_values: The closed set of values; empty when any value is right.
        default_zone: Zone of timestamps that carry none; without it they are refused.
        aliases: Other paths that the value may be found under, such as a name of former times.
        time_format: How a time is written, in strptime's signs; None means as ISO 8601 has it.
        epoch_zone: Zone whose wall clock seconds since 1970 count; None means UTC, as it should be.
    """

    name: str
    path: str
    physical_type: str
    meaning: str
    classification: str
    is_required: bool = False
    key_position: int | None = None
    allowed_values: tuple[str, ...] = ()
    default_zone: str | None = None
    aliases: tuple[str, ...] = ()
    epoch_zone: str | None = None
    time_format: str | None = None

    @property
    def is_identifier(self) -> bool:
        """Whether the value names something, so that no digit of it may be lost."""
        return self.key_position is not None or self.name.endswith("_id")

    @property
    def stored_type(self) -> str:
        """Type of the raw column; JSON is kept as text."""
        return "text" if self.physical_type == "json" else self.physical_type


@dataclass(frozen=True)
class Contract:
    """One source table.

    Args:
        source: Source it belongs to.
        entity: Table within the source.
        owner: Team that answers for it.
        purpose: What a row is, in a sentence.
        columns: The columns we use, in the order of the raw table.
        version_column: Orders the versions of a record; None for events.
        format: ndjson, csv, json, parquet or xlsx.
        rate_bound: Share of quarantined rows above which a delivery is held.
        expects_final_newline: Whether a file without one is taken for cut off.
        drift_policy: What happens when the delivered columns change: `evolve` records it and goes
            on, `quarantine` keeps out the rows that show it, `stop` holds the delivery.
        freshness_days: Age the newest delivery may reach, in days.
        granularity: What one row is, in a sentence.
        feeds: Vocabularies that the table's staging model speaks, such as app_events.
        fingerprint: Hash of the contract's text.
        encoding: Encoding of a text file.
        delimiter: What stands between the fields of a CSV file.
        trailer: Pattern of a last line that counts the rows, in its first group; None without one.
        sheet: Sheet of a workbook; None means its first one.
        header: Names of the fields of a CSV file that has no header of its own.
        has_quotes: Whether a CSV's double quotes enclose fields; else they are characters.
        rows_in: Array in an NDJSON record whose elements are the rows, each with what else the
            record says; None where the record is the row.
        speaks: How the staging model's columns become those of the vocabularies that it feeds,
            where they are not the same: SQL by column.
    """

    source: str
    entity: str
    owner: str
    purpose: str
    columns: tuple[Column, ...]
    version_column: str | None
    format: str
    rate_bound: float
    expects_final_newline: bool
    drift_policy: str
    freshness_days: float | None
    granularity: str
    feeds: tuple[str, ...]
    fingerprint: str
    encoding: str = "utf-8"
    delimiter: str = ","
    trailer: str | None = None
    sheet: str | None = None
    header: tuple[str, ...] = ()
    has_quotes: bool = True
    rows_in: str | None = None
    speaks: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """`source/entity`, as people name the table."""
        return f"{self.source}/{self.entity}"

    @property
    def is_json(self) -> bool:
        """Whether a record reaches the reader as JSON; otherwise as the fields of a CSV line."""
        return self.format != "csv"

    @property
    def is_flat(self) -> bool:
        """Whether a column's path is the name in a header; otherwise a path into JSON."""
        return self.format in ("csv", "xlsx")

    @property
    def table(self) -> str:
        """The raw table's name with its schema."""
        return f"raw.{self.source}__{self.entity}"

    @property
    def key_columns(self) -> tuple[str, ...]:
        """The declared key, in order; empty when the whole row is the key."""
        keyed = [column for column in self.columns if column.key_position is not None]
        return tuple(c.name for c in sorted(keyed, key=lambda c: c.key_position or 0))


def load_contracts(settings: Settings) -> dict[tuple[str, str], Contract]:
    """Read every source contract, in the order of source and entity.

    Raises:
        JourneylineError: A contract cannot be read or says something that cannot be.
    """
    paths = sorted((settings.contracts / "sources").glob("*.odcs.yaml"))
    contracts = [load_contract(path) for path in paths]
    return {(contract.source, contract.entity): contract for contract in contracts}


def load_contract(path: Path) -> Contract:
    """Read and prove one source contract.

    Raises:
        JourneylineError: The file is no ODCS contract of a source table; says which part.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document = OpenDataContractStandard(**yaml.load(text, Loader=_Loader))
    except (OSError, UnicodeDecodeError, ValidationError, yaml.YAMLError, TypeError) as error:
        raise _broken(path, f"cannot be read: {error}") from error
    source, entity = _names(path)
    if document.apiVersion != ODCS_VERSION:
        raise _broken(path, f"apiVersion is {document.apiVersion}, expected {ODCS_VERSION}")
    schemas = document.schema_ or []
    if len(schemas) != 1 or schemas[0].name != f"{source}__{entity}":
        raise _broken(path, f"schema must hold one table named {source}__{entity}")
    columns = tuple(_column(path, item) for item in schemas[0].properties or [])
    custom = {item.property: item.value for item in document.customProperties or []}
    team = document.team
    contract = Contract(
        source=source,
        entity=entity,
        owner=str(getattr(team, "name", None) or ""),
        purpose=str(getattr(document.description, "purpose", None) or "").strip(),
        columns=columns,
        version_column=custom.get("versionColumn"),
        format=str(custom.get("format", "")),
        rate_bound=_rate(path, custom.get("rateBound", 0.05)),
        expects_final_newline=bool(custom.get("finalNewline", True)),
        drift_policy=str(custom.get("driftPolicy", "evolve")),
        freshness_days=_freshness(document),
        granularity=(schemas[0].dataGranularityDescription or "").strip(),
        feeds=_feeds(path, custom.get("feeds")),
        fingerprint=hashlib.sha256(text.encode()).hexdigest()[:16],
        encoding=str(custom.get("encoding", "utf-8")).lower(),
        delimiter=str(custom.get("delimiter", ",")),
        trailer=_text_or_none(custom.get("trailer")),
        sheet=_text_or_none(custom.get("sheet")),
        header=tuple(str(name) for name in custom.get("header") or ()),
        has_quotes=bool(custom.get("quotes", True)),
        rows_in=_text_or_none(custom.get("rowsIn")),
        speaks=spoken_columns(path, custom.get("speaks")),
    )
    _prove(path, contract, custom)
    return contract


def _names(path: Path) -> tuple[str, str]:
    parts = path.name.removesuffix(".odcs.yaml").split(".")
    if len(parts) != 2 or not all(_NAME.fullmatch(part) for part in parts):
        raise _broken(path, "the file name must be <source>.<entity>.odcs.yaml")
    return parts[0], parts[1]


def _column(path: Path, item: SchemaProperty) -> Column:
    name = item.name or ""
    physical_type = (item.physicalType or "").lower()
    if not _NAME.fullmatch(name):
        raise _broken(path, f"property name {name!r} is not a lower-case column name")
    if physical_type not in TYPES and not _DECIMAL.fullmatch(physical_type):
        raise _broken(
            path, f"{name}: physicalType {physical_type!r} is none of {', '.join(TYPES)}, decimal"
        )
    if not (item.description or "").strip():
        raise _broken(path, f"{name}: description is missing")
    if item.classification not in CLASSIFICATIONS:
        raise _broken(path, f"{name}: classification is none of {', '.join(CLASSIFICATIONS)}")
    if item.primaryKey and item.primaryKeyPosition is None:
        raise _broken(path, f"{name}: a primary key needs primaryKeyPosition")
    return Column(
        name=name,
        path=item.physicalName or name,
        physical_type=physical_type,
        meaning=(item.description or "").strip(),
        classification=item.classification,
        is_required=bool(item.required),
        key_position=item.primaryKeyPosition if item.primaryKey else None,
        allowed_values=tuple(str(choice.value) for choice in item.enum or []),
        default_zone=(item.logicalTypeOptions or {}).get("defaultTimezone"),
        aliases=_aliases(path, item),
        epoch_zone=(item.logicalTypeOptions or {}).get("epochTimezone"),
        time_format=_time_format(path, item),
    )


def _time_format(path: Path, item: SchemaProperty) -> str | None:
    """A form such as `M/d/yyyy h:mm:ss a`, as strptime writes it."""
    form = (item.logicalTypeOptions or {}).get("format")
    if form is None or item.logicalType != "timestamp":
        return None
    signs = re.sub(r"[A-Za-z]+", lambda word: _TIME_SIGNS.get(word.group(), "?"), str(form))
    if "?" in signs:
        raise _broken(path, f"{item.name}: format {form!r} has a part that is not known")
    return signs


def _aliases(path: Path, item: SchemaProperty) -> tuple[str, ...]:
    for custom in item.customProperties or []:
        if custom.property == "aliases":
            if not isinstance(custom.value, list):
                raise _broken(path, f"{item.name}: aliases must be a list of names")
            return tuple(str(alias) for alias in custom.value)
    return ()


def _rate(path: Path, value: Any) -> float:
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise _broken(path, f"rateBound must be a share between 0 and 1, found {value!r}")
    return float(value)


def _feeds(path: Path, value: Any) -> tuple[str, ...]:
    found = tuple(value) if isinstance(value, list) else (value,) if value is not None else ()
    for feed in found:
        if feed not in FEEDS:
            raise _broken(path, f"feeds {feed!r} is none of {', '.join(FEEDS)}")
    return tuple(str(feed) for feed in found)


def _text_or_none(value: Any) -> str | None:
    return None if value is None else str(value)


def _freshness(document: OpenDataContractStandard) -> float | None:
    for item in document.slaProperties or []:
        if item.property == "latency" and item.unit == "d" and item.value is not None:
            return float(item.value)
    return None


def _prove(path: Path, contract: Contract, custom: dict[str | None, Any]) -> None:
    names = [column.name for column in contract.columns]
    if not names:
        raise _broken(path, "the table has no properties")
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise _broken(path, f"property {doubled[0]} is declared twice")
    if contract.format not in FORMATS:
        raise _broken(path, f"customProperties format must be one of {', '.join(FORMATS)}")
    if contract.encoding not in ENCODINGS:
        raise _broken(path, f"encoding must be one of {', '.join(ENCODINGS)}")
    if contract.delimiter not in DELIMITERS:
        raise _broken(path, f"delimiter must be one of {', '.join(map(repr, DELIMITERS))}")
    if contract.trailer is not None:
        _prove_trailer(path, contract.trailer)
    if (contract.header or not contract.has_quotes) and contract.format != "csv":
        raise _broken(path, "header and quotes are of csv files")
    if contract.rows_in is not None and contract.format != "ndjson":
        raise _broken(path, "rowsIn is of ndjson files")
    if contract.drift_policy not in DRIFT_POLICIES:
        raise _broken(path, f"driftPolicy must be one of {', '.join(DRIFT_POLICIES)}")
    if not contract.owner:
        raise _broken(path, "team.name is missing: who owns the table?")
    if contract.version_column is None and not custom.get("eventTable"):
        raise _broken(path, "customProperties must name versionColumn or set eventTable: true")
    if contract.version_column is not None:
        if contract.version_column not in names:
            raise _broken(path, f"versionColumn {contract.version_column} is no property")
        if not contract.key_columns:
            raise _broken(path, "a table with versionColumn needs a primary key")


def _prove_trailer(path: Path, pattern: str) -> None:
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise _broken(path, f"trailer is no regular expression: {error}") from error
    if groups != 1:
        raise _broken(path, "trailer must have one group, around the number of rows")


def _broken(path: Path, what: str) -> JourneylineError:
    return JourneylineError(
        f"The source contract is not valid: {what}.",
        where=str(path),
        next_step="Correct the contract; the form is that of the other files in the folder.",
        exit_code=EXIT_USAGE,
    )
