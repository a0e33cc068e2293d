"""A hand-made home with three small products, for the tests of gate and publish."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import yaml

from orchestration.settings import REPO_ROOT, Settings

NOW = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)

_TABLES: dict[str, dict[str, Any]] = {
    "dim_customers": {
        "schema": "unify",
        "sort": ["customer_id"],
        "columns": [("customer_id", "varchar", {"key": 1}), ("country", "varchar", {})],
    },
    "fct_identity_history": {
        "schema": "unify",
        "sort": ["known_at", "customer_id"],
        "columns": [
            ("customer_id", "varchar", {"required": True}),
            ("other_customer_id", "varchar", {}),
            ("change", "varchar", {"required": True}),
            ("known_at", "timestamp", {"required": True}),
        ],
    },
    "fct_touchpoints": {
        "schema": "journey",
        "sort": ["occurred_at", "touchpoint_id"],
        "month": "occurred_at",
        "columns": [
            ("touchpoint_id", "varchar", {"key": 1}),
            ("customer_id", "varchar", {"required": True, "to": "dim_customers.customer_id"}),
            ("direction", "varchar", {"set": ["inbound", "outbound"]}),
            ("handling_seconds", "bigint", {"minimum": 0}),
            ("value_amount", "decimal(18,4)", {}),
            ("occurred_at", "timestamp", {"required": True}),
        ],
    },
}


def clock() -> datetime:
    """The clock of every act in these tests."""
    return NOW


def make_home(folder: Path, customers: int = 20, touchpoints: int = 300) -> Settings:
    """A home with a warehouse of `customers` and their touchpoints in three months."""
    project = folder / "project"
    config = project / "orchestration" / "config"
    config.mkdir(parents=True)
    shutil.copy2(REPO_ROOT / "orchestration" / "config" / "releases.yml", config)
    for table in _TABLES:
        write_contract(project, table)
    settings = Settings(home=folder / "home", repo_root=project)
    settings.home.mkdir()
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute(
            """
            create schema unify; create schema journey; create schema ingest; create schema pipeline
            """
        )
        connection.execute(
            f"""
            create table unify.dim_customers as
            select 'c' || i as customer_id, 'DE' as country, 'p' || i || '@example.com' as email
            from range({customers}) as numbers (i) order by hash(i);
            create table unify.fct_identity_history as
            select 'c' || i as customer_id, null::varchar as other_customer_id,
                'created' as change, timestamp '2025-10-01' as known_at
            from range({customers}) as numbers (i);
            create table journey.fct_touchpoints as
            select
                't' || i as touchpoint_id,
                'c' || (i % {customers}) as customer_id,
                case when i % 2 = 0 then 'inbound' else 'outbound' end as direction,
                i as handling_seconds,
                (i / 7)::decimal(18, 4) as value_amount,
                timestamp '2025-10-01' + to_hours(i::integer * 7) as occurred_at,
            from range({touchpoints}) as numbers (i) order by hash(i);
            create table ingest.deliveries as
            select
                'crm' as source, 'contacts' as entity, '2026-01-04T020000Z-aaaaaaaa' as delivery_id,
                timestamp '2026-01-04 02:00:00' as received_at, 'loaded' as status,
                null::varchar as reason, 'contacts.ndjson' as file_name, 'ab' as sha256,
                10::bigint as byte_count, {customers}::bigint as landed_count,
                {customers}::bigint as accepted_count, 0::bigint as quarantined_count,
                0::bigint as duplicate_count, 0::bigint as erased_count, 1 as load_number,
                0::bigint as aged_count;
            create table pipeline.clock as
            select timestamp '2026-01-05' as as_of, date '2026-01-04' as night;
            """
        )
    return settings


def change(settings: Settings, sql: str) -> None:
    """Change the warehouse, as a night would."""
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute(sql)


def add_night(settings: Settings, number: int = 1) -> None:
    """One more touchpoint in the newest month, and a later as-of."""
    at = NOW + timedelta(days=number)
    change(
        settings,
        f"insert into journey.fct_touchpoints values ('n{number}', 'c1', 'inbound', 1, 1, "
        f"timestamp '2025-12-30 00:00:{number:02d}'); "
        f"update pipeline.clock set as_of = timestamp '{at:%Y-%m-%d}'",
    )


def write_contract(project: Path, table: str, **changes: Any) -> None:
    """The contract of one of the three products, in the standard's shape."""
    entry = _TABLES[table]
    custom = {"warehouseSchema": entry["schema"], "sortKey": entry["sort"], "severity": "error"}
    if "month" in entry:
        custom["monthColumn"] = entry["month"]
    document = {
        "version": "1.0.0",
        "team": {"name": "data"},
        "schema": [
            {
                "name": table,
                "description": f"The {table}.",
                "dataGranularityDescription": "One row each.",
                "properties": [_property(*column) for column in entry["columns"]],
                "customProperties": [{"property": k, "value": v} for k, v in custom.items()],
            }
        ],
    }
    document.update(changes)
    folder = project / "data_contracts" / "products"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{table}.odcs.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")


def break_contract(settings: Settings, *, version: str, beside: str | None = None) -> None:
    """Rename a published column; serve the old shape beside it until a day, if one is given."""
    contract = settings.contracts / "products" / "dim_customers.odcs.yaml"
    old = contract.read_text()
    contract.write_text(old.replace("country", "land").replace("1.0.0", version))
    if beside is not None:
        document = yaml.safe_load(old.replace("dim_customers", "dim_customers_v1"))
        until = {"property": "servedUntil", "value": beside}
        document["schema"][0]["customProperties"].append(until)
        path = contract.with_name("dim_customers_v1.odcs.yaml")
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        change(settings, "create table unify.dim_customers_v1 as from unify.dim_customers")
    change(settings, "alter table unify.dim_customers rename country to land")


def parquet_bytes(settings: Settings) -> dict[str, bytes]:
    """Every Parquet file of the current release."""
    root = settings.current / "parquet"
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*.parquet"))}


def copy_home(source: Settings, folder: Path) -> Settings:
    """The same home and project in another folder."""
    shutil.copytree(source.repo_root, folder / "project")
    shutil.copytree(source.home, folder / "home", symlinks=True)
    return Settings(home=folder / "home", repo_root=folder / "project")


def _property(name: str, data_type: str, rules: dict[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": name,
        "physicalType": data_type,
        "description": f"The {name}.",
        "classification": "internal",
        "required": bool(rules.get("required") or rules.get("key")),
    }
    if "key" in rules:
        entry |= {"primaryKey": True, "primaryKeyPosition": rules["key"], "unique": True}
    if "to" in rules:
        entry["relationships"] = [{"to": rules["to"]}]
    if "minimum" in rules:
        entry["logicalTypeOptions"] = {"minimum": rules["minimum"]}
    if "set" in rules:
        entry["quality"] = [
            {"metric": "invalidValues", "arguments": {"validValues": rules["set"]}, "mustBe": 0}
        ]
    return entry
