"""Real tables that Fivetran landed: every row accounted for, and what was quarantined, with why.

`python -m benchmarks.landed FOLDER` fetches and loads them, and writes the section `landed` of
docs/benchmarks.md. FOLDER has a folder per vendor with the tool's tables as CSV files.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import yaml

from benchmarks.document import table, write_section
from orchestration.connectors.elt import FIVETRAN
from orchestration.connectors.run import fetch_tables
from orchestration.ingest.loader import load_deliveries
from orchestration.settings import REPO_ROOT, Settings

SECTION = "landed"
# How the files of a vendor are called, and the tables of ours that are read out of them.
TABLES = {
    "hubspot": (
        "{table}_data.csv",
        (
            *("contacts", "companies", "deals", "tickets", "calls", "meetings", "owners"),
            "email_events",
        ),
    ),
    "salesforce": ("sf_{table}_data.csv", ("contacts", "leads", "accounts", "opportunities")),
    "intercom": ("{table}_data.csv", ("contacts", "conversations", "conversation_parts")),
    "klaviyo": ("{table}.csv", ("members", "email_events")),
    "qualtrics": ("{table}.csv", ("responses",)),
    "zendesk": ("{table}_data.csv", ("users", "tickets", "comments", "ticket_events", "groups")),
    "mailchimp": ("{table}.csv", ("members", "campaigns", "email_activity")),
}
_NIGHT = datetime(2025, 3, 4, 2, tzinfo=UTC)
_LEDGER = """
select source || '/' || entity, status, landed_count, accepted_count, duplicate_count,
    quarantined_count, coalesce(reason, '')
from ingest.deliveries order by all
"""
_QUARANTINED = """
select source || '/' || entity, rule, coalesce(column_name, ''), count(*), count(distinct value)
from ingest.quarantine_rows group by all order by all
"""


def entries(folder: Path, document: dict[str, list[dict[str, object]]]) -> None:
    """Give each vendor in a `sources.yml` the connector that reads its folder."""
    for source in document["sources"]:
        if source["name"] in TABLES:
            file_name, entities = TABLES[str(source["name"])]
            source["enabled"] = True
            source["connector"] = {
                "kind": "elt",
                "tool": "fivetran",
                "vendor": source["name"],
                "folder": str(folder / str(source["name"])),
                "file_name": file_name,
                "tables": {entity: {} for entity in entities},
            }


def rendered(folder: Path) -> str:
    """Fetch and load the tables; the section of the document."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        for part in ("orchestration/config", "data_contracts"):
            shutil.copytree(REPO_ROOT / part, root / part)
        settings = Settings(home=root / "home", repo_root=root)
        path = settings.config / "sources.yml"
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        entries(folder, document)
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        failed = [
            f"{one.table}: {one.error}"
            for one in fetch_tables(settings, (), lambda line: None, lambda: _NIGHT)
            if one.error
        ]
        load_deliveries(settings, None)
        with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
            ledger = connection.execute(_LEDGER).fetchall()
            broken = connection.execute(_QUARANTINED).fetchall()
    return "\n\n".join([*_told(ledger, broken, failed), _unread(folder)])


def _told(ledger: list[tuple], broken: list[tuple], failed: list[str]) -> list[str]:  # type: ignore[type-arg]
    today = datetime.now(UTC).date().isoformat()
    columns = ("table", "status", "landed", "accepted", "duplicates", "quarantined", "reason")
    listed = [[str(value) for value in row] for row in ledger]
    parts = [
        "## Real tables that an ELT tool landed",
        f"`python -m benchmarks.landed` on {today}: the tables as they are, with soft deletions, "
        "history tables, merge audits, byte order marks and JSON in cells. That merged records "
        "follow their survivor and that deleted ones are out is in "
        "tests/pipeline/test_vendors_landed.py.",
        table(columns, listed),
    ]
    if failed:
        parts.append("Not fetched: " + "; ".join(failed))
    if not broken:
        return [*parts, "Nothing had to be quarantined."]
    rows = [[str(value) for value in row] for row in broken]
    return [*parts, table(("quarantined", "rule", "column", "rows", "values"), rows)]


def _unread(folder: Path) -> str:
    lines = []
    for vendor, (file_name, entities) in TABLES.items():
        read = {
            file_name.format(table=name)
            for entity in entities
            for name in FIVETRAN[vendor][entity].tables
        }
        there = {path.name for path in (folder / vendor).glob("*.csv")}
        lines.append(f"{vendor} {len(there & read)} of {len(there)}")
    return f"Of the tool's tables are read: {', '.join(lines)}."


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="a folder per vendor")
    parser.add_argument("--document", type=Path, default=REPO_ROOT / "docs" / "benchmarks.md")
    given = parser.parse_args(arguments)
    text = rendered(given.folder)
    write_section(given.document, SECTION, text)
    print(text)


if __name__ == "__main__":
    main()
