"""A company of a few records, landed by hand: the smallest example that a rule needs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from orchestration.ingest.landing import land_file
from orchestration.pipeline import steps
from orchestration.settings import REPO_ROOT, Settings

FIRST_NIGHT = datetime(2025, 7, 1, 2, tzinfo=UTC)
_CREATED = "2025-06-01T00:00:00Z"
_RESPONDENT = "respondent_id,email,name,phone,country,language,created_at,updated_at"


def own_project(folder: Path) -> Settings:
    """An empty home under a project of its own, whose files may be changed."""
    for part in ("orchestration/config", "dbt_project", "data_contracts"):
        shutil.copytree(REPO_ROOT / part, folder / part, dirs_exist_ok=True)
    return Settings(home=folder / "home", repo_root=folder)


def contact(number: int, **properties: object) -> dict[str, object]:
    """A contact of the CRM; `properties` are HubSpot's."""
    return {
        "id": str(number),
        "properties": properties,
        "createdAt": _CREATED,
        "updatedAt": _CREATED,
        "archived": False,
    }


def respondent(number: int, email: str = "", name: str = "", phone: str = "") -> str:
    """A line of the survey tool's respondents."""
    return f"r{number},{email},{name},{phone},,en,{_CREATED},{_CREATED}"


def member(number: int, email: str, **more: object) -> dict[str, object]:
    """A member of the mailing list."""
    return {
        "id": f"{number:032x}",
        "unique_email_id": f"m{number}",
        "email_address": email,
        "list_id": "list",
        "status": "subscribed",
        "timestamp_signup": _CREATED,
        "timestamp_opt": _CREATED,
        "last_changed": _CREATED,
        **more,
    }


def land_rows(
    settings: Settings,
    table: str,
    rows: Iterable[Mapping[str, object]],
    received_at: datetime = FIRST_NIGHT,
) -> None:
    """Land rows of `source/entity` as one delivery of JSON lines."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    _land(settings, table, text, "ndjson", received_at)


def land_respondents(
    settings: Settings, lines: Iterable[str], received_at: datetime = FIRST_NIGHT
) -> None:
    """Land lines of `surveys/respondents` as one delivery of CSV."""
    text = "\n".join([_RESPONDENT, *lines]) + "\n"
    _land(settings, "surveys/respondents", text, "csv", received_at)


def resolve(settings: Settings, *, customers: bool = False) -> None:
    """Load what has landed and resolve identities; with `customers` build the marts too."""
    steps.prepare(settings)
    steps.load(settings, None)
    steps.write_configuration(settings)
    steps.build_records(settings)
    steps.resolve_ids(settings)
    if customers:
        steps.build_customers(settings)


def customers_of(settings: Settings) -> dict[str, str]:
    """Customer of each record, as `source/entity/record_id`."""
    rows = rows_of(settings, "select record_key, customer_id from identity.customer_records")
    return {str(record): str(customer) for record, customer in rows}


def rows_of(settings: Settings, query: str) -> list[tuple[object, ...]]:
    """What the warehouse answers."""
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        return connection.execute(query).fetchall()


def with_home(settings: Settings, home: Path) -> Settings:
    """The same project with another home."""
    return replace(settings, home=home)


def _land(settings: Settings, table: str, text: str, suffix: str, received_at: datetime) -> None:
    source, entity = table.split("/")
    file = settings.home / f"{entity}-{received_at:%d%H%M}.{suffix}"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    land_file(settings, source, entity, file, received_at)
    file.unlink()
