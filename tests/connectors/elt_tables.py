"""Tables as an ELT tool lands them, and a home that reads them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from fetch_home import NIGHT, fetch, project_with

from orchestration import warehouse
from orchestration.connectors.run import fetch_tables
from orchestration.ingest.loader import load_deliveries
from orchestration.settings import Settings

Rows = list[dict[str, Any]]
SYNCED = "2020-03-05 05:03:34.208"


def write(folder: Path, table: str, rows: Rows, mark: str = "\ufeff") -> None:
    """A table as the tool's CSV file, with the byte order mark that it begins with."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
        file.write(mark)
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def project(
    home: Path, *tables: str, vendor: str = "zendesk", tool: str = "fivetran", **place: str
) -> Settings:
    """A home that reads some of a vendor's tables, from its folder `tables` unless told where."""
    entry = {"kind": "elt", "tool": tool, "vendor": vendor}
    given = place or {"folder": str(home / "tables")}
    tables_of = {table: {} for table in tables}
    return project_with(home, vendor, {**entry, **given, "tables": tables_of}, enabled=True)


def loaded(home: Path, table: str, tool: str = "fivetran", **tables: Rows) -> Settings:
    """A home that fetched and loaded one `source/entity` out of the tool's tables given here."""
    vendor, entity = table.split("/")
    for name, rows in tables.items():
        write(home / "tables", name, rows)
    settings = project(home, entity, vendor=vendor, tool=tool)
    fetch(settings, table)
    load_deliveries(settings, None)
    return settings


def loaded_real(
    home: Path, shared_data: Path, vendor: str, *entities: str, file_name: str = "{table}_data.csv"
) -> Settings:
    """A home that fetched and loaded real tables of a vendor, all of them."""
    place = {"folder": str(shared_data / "landed" / vendor), "file_name": file_name}
    settings = project(home, *entities, vendor=vendor, **place)
    report = fetch_tables(settings, (), lambda line: None, lambda: NIGHT)
    assert {one.table: one.error for one in report if one.error} == {}
    assert len(report) == len(entities)
    load_deliveries(settings, None)
    return settings


def raw(settings: Settings, query: str) -> list[tuple]:
    """What the warehouse answers."""
    connection = warehouse.connect(settings.warehouse, read_only=True)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()
