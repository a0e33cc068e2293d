"""The demo company's vendors, served over their APIs instead of landed as files."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from fetch_home import PATIENCE, project_with
from hubspot_api import HubSpot
from mailchimp_api import Mailchimp
from zendesk_api import Zendesk

from orchestration.ingest.landing import list_deliveries
from orchestration.settings import Settings

Record = dict[str, Any]

COMPANY_COLUMNS = {
    "company_id": "id",
    "name": "properties.name",
    "domain": "properties.domain",
    "industry": "properties.industry",
    "country": "properties.country",
    "employee_count": "properties.numberofemployees",
    "city": "properties.city",
    "created_at": "createdAt",
    "updated_at": "updatedAt",
    "is_archived": "archived",
    "merged_company_ids": "properties.hs_merged_object_ids",
}
OWNER_COLUMNS = {
    "owner_id": "id",
    "email": "email",
    "first_name": "firstName",
    "last_name": "lastName",
    "team": "teams[0].name",
    "department": "department",
    "created_at": "createdAt",
    "updated_at": "updatedAt",
    "is_archived": "archived",
}


@contextmanager
def served(company: Settings, folder: Path) -> Iterator[Settings]:
    """Serve a company's CRM, e-mail and support; a project that fetches them, with a new home."""
    with ExitStack() as stack:
        hubspot, mailchimp, zendesk = HubSpot(), Mailchimp(), Zendesk(page=200)
        for vendor in (hubspot, mailchimp, zendesk):
            stack.enter_context(closing(vendor.api))
        _fill_hubspot(hubspot, company)
        _fill_mailchimp(mailchimp, company)
        _fill_zendesk(zendesk, company)
        basic = {"kind": "basic", "password_from": "VENDOR_KEY"}
        entries: dict[str, Record] = {
            "hubspot": {
                "url": hubspot.api.url,
                "auth": {"kind": "bearer", "token_from": "HUBSPOT_TOKEN"},
                "tables": {
                    "companies": {"columns": COMPANY_COLUMNS},
                    "owners": {"columns": OWNER_COLUMNS},
                    **{name: {} for name in ("contacts", "deals", "calls", "meetings")},
                },
            },
            "mailchimp": {
                "url": mailchimp.api.url,
                "auth": {"kind": "basic", "user": "any", "password_from": "MAILCHIMP_KEY"},
                "poll_seconds": 0.01,
                "tables": {name: {} for name in ("members", "campaigns", "email_activity")},
            },
            "zendesk": {
                "url": zendesk.api.url,
                "auth": {**basic, "user_from": "ZENDESK_USER", "password_from": "ZENDESK_TOKEN"},
                "tables": {
                    name: {}
                    for name in (
                        *("users", "groups", "tickets"),
                        *("ticket_events", "comments", "satisfaction_ratings"),
                    )
                },
            },
        }
        for name, entry in entries.items():
            settings = project_with(folder, name, {"kind": name, "retry": PATIENCE, **entry})
        yield settings


def landed(company: Settings, source: str, entity: str) -> list[Record]:
    """Every delivered record of a table."""
    found: list[Record] = []
    for delivery in list_deliveries(company):
        if (delivery.source, delivery.entity) == (source, entity):
            lines = delivery.file.read_text(encoding="utf-8").splitlines()
            is_csv = delivery.file.suffix == ".csv"
            found += csv.DictReader(lines) if is_csv else map(json.loads, lines)
    return found


def newest(records: list[Record], key: str, version: str) -> list[Record]:
    """The newest version of each record: what an API shows."""
    ordered = sorted(records, key=lambda record: str(record[version]))
    return list({str(record[key]): record for record in ordered}.values())


def _fill_hubspot(vendor: HubSpot, company: Settings) -> None:
    for kind in ("contacts", "deals", "calls", "meetings"):
        vendor.records[kind] = newest(landed(company, "hubspot", kind), "id", "updatedAt")
    companies = newest(landed(company, "hubspot", "companies"), "company_id", "updated_at")
    vendor.records["companies"] = [
        {
            "id": row["company_id"],
            "properties": {
                **{name: row[name] for name in ("name", "domain", "industry", "country", "city")},
                "numberofemployees": row["employee_count"],
                "hs_merged_object_ids": row["merged_company_ids"],
            },
            "createdAt": row["created_at"],
            "updatedAt": row["updated_at"],
            "archived": row["is_archived"] == "true",
        }
        for row in companies
    ]
    vendor.records["owners"] = [
        {
            "id": row["owner_id"],
            "email": row["email"],
            "firstName": row["first_name"],
            "lastName": row["last_name"],
            "teams": [{"name": row["team"]}],
            "department": row["department"],
            "createdAt": row["created_at"],
            "updatedAt": row["updated_at"],
            "archived": False,
        }
        for row in landed(company, "hubspot", "owners")
    ]


def _fill_mailchimp(vendor: Mailchimp, company: Settings) -> None:
    members = newest(landed(company, "mailchimp", "members"), "unique_email_id", "last_changed")
    vendor.listings["lists"] = [{"id": one} for one in sorted({m["list_id"] for m in members})]
    for audience in vendor.listings["lists"]:
        path = f"lists/{audience['id']}/members"
        vendor.listings[path] = [m for m in members if m["list_id"] == audience["id"]]
    vendor.listings["campaigns"] = landed(company, "mailchimp", "campaigns")
    addresses: dict[tuple[str, str], dict[str, Record]] = defaultdict(dict)
    for row in landed(company, "mailchimp", "email_activity"):
        about = {name: row[name] for name in ("email_id", "email_address", "list_id")}
        report, more = _reported(row)
        known = addresses[row["campaign_id"], report].setdefault(row["email_id"], about)
        if report == "email-activity":
            known.setdefault("activity", []).append(more)
        else:
            known.update(more)
    for campaign in vendor.listings["campaigns"]:
        for report in ("email-activity", "sent-to", "unsubscribed", "abuse-reports"):
            found = addresses.get((campaign["id"], report), {})
            vendor.listings[f"reports/{campaign['id']}/{report}"] = list(found.values())


def _reported(row: Record) -> tuple[str, Record]:
    if row["action"] == "sent":
        return "sent-to", {"status": "sent"}
    if row["action"] == "unsub":
        return "unsubscribed", {"timestamp": row["timestamp"]}
    if row["action"] == "abuse":
        return "abuse-reports", {"date": row["timestamp"]}
    return "email-activity", {n: row[n] for n in ("action", "type", "url", "timestamp")}


def _fill_zendesk(vendor: Zendesk, company: Settings) -> None:
    for table in ("users", "groups", "tickets", "satisfaction_ratings"):
        vendor.tables[table] = newest(landed(company, "zendesk", table), "id", "updated_at")
    audits = []
    for row in landed(company, "zendesk", "ticket_events"):
        child = {name: row[name] for name in ("id", "event_type", "via", "previous_value")}
        audits.append(_audit(row, {**child, row["field_name"]: row["value"]}, row["updater_id"]))
    for row in landed(company, "zendesk", "comments"):
        names = ("id", "body", "public", "author_id", "via")
        child = {"event_type": "Comment", **{name: row[name] for name in names}}
        audits.append(_audit(row, child, row["author_id"]))
    vendor.tables["ticket_events"] = audits


def write_fivetran_desk(company: Settings, folder: Path) -> None:
    """Write a company's support desk as the tables that Fivetran lands of it."""

    def shown(entity: str) -> list[Record]:
        return newest(landed(company, "zendesk", entity), "id", "updated_at")

    tables = {
        "user": [_flat(row) for row in shown("users")],
        "group": [_flat(row) for row in shown("groups")],
        "satisfaction_rating": [_flat(row) for row in shown("satisfaction_ratings")],
        "ticket": [
            {**_flat(row), "via_channel": row["via"]["channel"]} for row in shown("tickets")
        ],
        "ticket_comment": [
            {
                **{name: row[name] for name in ("id", "ticket_id", "body", "public")},
                "user_id": row["author_id"],
                "created": _plain_time(row["created_at"]),
            }
            for row in landed(company, "zendesk", "comments")
        ],
        "ticket_field_history": [
            {
                **{name: row[name] for name in ("ticket_id", "field_name", "value")},
                "user_id": row["updater_id"],
                "updated": _plain_time(row["created_at"]),
            }
            for row in landed(company, "zendesk", "ticket_events")
        ],
    }
    _write(folder, tables)


def write_fivetran_mail(company: Settings, folder: Path) -> None:
    """Write a company's e-mail as the tables that Fivetran lands of it."""
    members = newest(landed(company, "mailchimp", "members"), "unique_email_id", "last_changed")
    happened: dict[str, list[Record]] = defaultdict(list)
    for row in landed(company, "mailchimp", "email_activity"):
        table = {"sent": "campaign_recipient", "unsub": "unsubscribe"}.get(
            row["action"], "campaign_recipient_activity"
        )
        happened[table].append(
            {
                **{name: row[name] for name in ("campaign_id", "list_id", "action", "url")},
                "member_id": row["email_id"],
                "bounce_type": row["type"],
                "timestamp": _plain_time(row["timestamp"]),
            }
        )
    tables = {
        "member": [
            {
                **_flat(row),
                **{f"merge_{name.lower()}": value for name, value in row["merge_fields"].items()},
                "country_code": row["location"]["country_code"],
            }
            for row in members
        ],
        "campaign": [
            {**_flat(row), **row["settings"], **row["recipients"]}
            for row in landed(company, "mailchimp", "campaigns")
        ],
        **happened,
    }
    _write(folder, tables)


def _write(folder: Path, tables: dict[str, list[Record]]) -> None:
    folder.mkdir()
    synced = {"_fivetran_synced": "2025-07-04 01:00:00.000", "_fivetran_deleted": "FALSE"}
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, [*rows[0], *synced])
            writer.writeheader()
            writer.writerows({**row, **synced} for row in rows)


def _flat(row: Record) -> Record:
    """A record's plain fields, times without a zone."""
    plain = {name: value for name, value in row.items() if not isinstance(value, dict | list)}
    return {n: _plain_time(v) if n.endswith("_at") else v for n, v in plain.items()}


def _plain_time(text: str) -> str:
    return text.replace("T", " ").removesuffix("Z")


def _audit(row: Record, child: Record, by: Any) -> Record:
    return {
        "id": f"audit-{row['id']}",
        "ticket_id": row["ticket_id"],
        "created_at": row["created_at"],
        "updater_id": by,
        "event_type": "Audit",
        "child_events": [child],
    }
