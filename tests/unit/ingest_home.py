"""A home folder to load into, and deliveries written by hand."""

from __future__ import annotations

import gzip
import json
import shutil
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import yaml
from backports import zstd

from orchestration.ingest.landing import Delivery, land_file, list_deliveries
from orchestration.settings import REPO_ROOT, Settings

FIRST = datetime(2025, 3, 1, 2)


def group(number: int, **changes: object) -> dict[str, object]:
    """A zendesk/groups record."""
    return {
        "id": str(number),
        "name": f"Group {number}",
        "created_at": "2025-01-01T00:00:00Z",
        "updated_at": "2025-01-02T00:00:00Z",
        **changes,
    }


def activity(number: int, **changes: object) -> dict[str, object]:
    """A mailchimp/email_activity record."""
    return {
        "campaign_id": "c1",
        "list_id": "l1",
        "email_id": f"e{number}",
        "unique_email_id": f"u{number}",
        "email_address": f"p{number}@example.com",
        "action": "open",
        "type": None,
        "url": None,
        "timestamp": "2025-02-01T10:00:00Z",
        **changes,
    }


def lines(records: list[dict[str, object] | str]) -> str:
    """Records as NDJSON; texts are taken as they are."""
    return "".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in records)


def land(
    settings: Settings,
    table: str,
    content: str | bytes,
    at: datetime = FIRST,
    suffix: str = ".ndjson",
    is_packed: bool = False,
) -> str:
    """Land a file of a `source/entity`; packed here by its suffix unless it is already."""
    source, entity = table.split("/")
    data = content.encode() if isinstance(content, str) else content
    if suffix.endswith(".gz") and not is_packed:
        data = gzip.compress(data, mtime=0)
    if suffix.endswith(".zst") and not is_packed:
        data = zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1})
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"export{suffix}"
        file.write_bytes(data)
        return land_file(settings, source, entity, file, at)


def delivery(settings: Settings) -> Delivery:
    """The only delivery in landing."""
    (only,) = list_deliveries(settings)
    return only


def ask(settings: Settings, sql: str) -> list[tuple]:
    """Rows of a query over the warehouse."""
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def project(folder: Path, table: str, **changes: object) -> Settings:
    """A home whose project has one contract, with custom properties changed, such as `format`.

    Args:
        folder: Where home and project are made.
        table: `source/entity` of the contract.
        changes: Custom properties; None takes one away.
    """
    root = folder / "project"
    settings = Settings(home=folder / "home", repo_root=root)
    name = f"{table.replace('/', '.')}.odcs.yaml"
    if not root.exists():
        shutil.copytree(REPO_ROOT / "orchestration" / "config", settings.config)
        (settings.contracts / "sources").mkdir(parents=True)
        shutil.copy(REPO_ROOT / "data_contracts" / "sources" / name, settings.contracts / "sources")
    path = settings.contracts / "sources" / name
    document: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    kept = {item["property"]: item["value"] for item in document["customProperties"]} | changes
    document["customProperties"] = [
        {"property": name, "value": value} for name, value in kept.items() if value is not None
    ]
    path.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), "utf-8")
    return settings
