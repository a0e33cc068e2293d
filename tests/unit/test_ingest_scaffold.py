"""A first contract from a sample: guesses that the loader takes, each marked as one."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
import yaml
from ingest_home import FIRST, ask, group, land, lines, project
from test_ingest_formats import as_parquet, as_workbook

from orchestration.cli.main import _run
from orchestration.ingest.contracts import load_contract
from orchestration.ingest.loader import load_deliveries
from orchestration.ingest.sampling import take_sample
from orchestration.ingest.scaffold import guessed_name, scaffold_contract
from orchestration.settings import Settings

ORDERS = [
    {
        "id": f"00{n}",
        "customer": {"Email": f"p{n}@example.com", "id": n, "phone": f"+49 151 23456{n:02}"},
        "total": f"{n}.50",
        "items": n,
        "paid": True,
        "state": ("open", "sent", "paid")[n % 3],
        "lines": [{"sku": "a"}],
        "orderDate": "2025-01-31",
        "createdAt": f"2025-01-01T10:00:{n:02}Z",
        "updated_at": "2025-01-02 10:00:00",
        "ip": "192.0.2.7",
        **({"coupon": "X"} if n % 2 else {}),
    }
    for n in range(40)
]
# Column: type, classification, required.
EXPECTED = {
    "order_id": ("text", "internal", True),
    "customer_email": ("text", "direct_identifier", True),
    "customer_id": ("text", "confidential", True),
    "customer_phone": ("text", "direct_identifier", True),
    "total": ("decimal(18,4)", "internal", True),
    "items": ("bigint", "internal", True),
    "paid": ("boolean", "internal", True),
    "state": ("text", "internal", True),
    "lines": ("json", "confidential", True),
    "order_date": ("date", "internal", True),
    "created_at": ("timestamp", "internal", True),
    "updated_at": ("timestamp", "internal", True),
    "ip": ("text", "direct_identifier", True),
    "coupon": ("text", "internal", False),
}


def guessed(settings: Settings, what: str, table: str = "shop/orders") -> dict[str, Any]:
    source, entity = table.split("/")
    found: dict[str, Any] = yaml.safe_load(
        scaffold_contract(source, entity, take_sample(settings, what))
    )
    return found


def columns(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {column["name"]: column for column in document["schema"][0]["properties"]}


def test_types_keys_and_classes_are_guessed_and_marked(tmp_path: Path) -> None:
    file = tmp_path / "orders.ndjson"
    file.write_text(lines([dict(row) for row in ORDERS]))
    document = guessed(Settings(home=tmp_path), str(file))
    found = columns(document)
    assert {
        name: (column["physicalType"], column["classification"], column["required"])
        for name, column in found.items()
    } == EXPECTED
    assert [name for name, column in found.items() if column.get("primaryKey")] == ["order_id"]
    assert all(c["tags"] == ["guess"] and "GUESS" in c["description"] for c in found.values())
    assert document["status"] == "draft"
    assert found["updated_at"]["logicalTypeOptions"] == {"defaultTimezone": "UTC"}
    assert "closed set: open, paid, sent" in found["state"]["description"]
    custom = {item["property"]: item["value"] for item in document["customProperties"]}
    assert custom["versionColumn"] == "updated_at"


def test_the_guess_loads_every_row_it_was_guessed_from(tmp_path: Path) -> None:
    settings = project(tmp_path, "zendesk/groups")
    file = tmp_path / "orders.json"
    file.write_text(lines([dict(row) for row in ORDERS]))
    arguments = ["--home", str(settings.home), "sources", "scaffold", str(file)]
    path = settings.contracts / "sources" / "cms.orders.odcs.yaml"
    assert _run([*arguments, "--as", "cms/orders", "--output", str(path)]) == 0
    assert load_contract(path).key_columns == ("order_id",)
    land(settings, "cms/orders", file.read_text(), FIRST, suffix=".json")
    report = load_deliveries(settings, None)
    assert (report.accepted, report.quarantined, report.refused) == (40, 0, [])
    assert ask(settings, "select order_id, total::text from raw.cms__orders limit 1") == [
        ("000", "0.5000")
    ]
    assert _run([*arguments, "--as", "cms/orders", "--output", str(path)]) == 2


@pytest.mark.parametrize("suffix", ["csv", "parquet", "xlsx", "ndjson.zst"])
def test_every_format_is_sampled(tmp_path: Path, suffix: str) -> None:
    settings = Settings(home=tmp_path / "home")
    rows = [{"id": f"g{n}", "name": f"Group {n}", "size": n} for n in range(9)]
    table = [["id", "name", "size"], *[list(row.values()) for row in rows]]
    contents = {
        "csv": "\n".join(";".join(map(str, row)) for row in table).encode(),
        "parquet": as_parquet(rows),
        "xlsx": as_workbook(table),
        "ndjson.zst": lines([dict(row) for row in rows]).encode(),
    }
    if suffix == "ndjson.zst":
        land(settings, "shop/groups", contents[suffix], suffix=f".{suffix}")
        document = guessed(settings, "shop/groups", "shop/groups")
    else:
        file = tmp_path / f"groups.{suffix}"
        file.write_bytes(contents[suffix])
        document = guessed(settings, str(file), "shop/groups")
    assert {name: c["physicalType"] for name, c in columns(document).items()} == {
        "group_id": "text",
        "name": "text",
        "size": "bigint",
    }
    custom = {item["property"]: item["value"] for item in document["customProperties"]}
    assert (custom["format"], custom.get("delimiter")) == (
        suffix.split(".")[0],
        ";" if suffix == "csv" else None,
    )


def test_a_database_table_is_sampled(tmp_path: Path) -> None:
    file = tmp_path / "shop.db"
    with sqlite3.connect(file) as connection:
        connection.execute("create table orders (id integer, total numeric, made_at text)")
        connection.execute("insert into orders values (7, 1.5, '2025-01-01T00:00:00Z')")
    document = guessed(Settings(home=tmp_path), f"sqlite:///{file}#orders")
    assert {name: c["physicalType"] for name, c in columns(document).items()} == {
        "order_id": "text",
        "total": "decimal(18,4)",
        "made_at": "timestamp",
    }


@pytest.mark.parametrize(
    "arguments",
    [("absent.csv", "--as", "shop/x"), ("shop/nothing",), ("sqlite:///x.db#t", "--as", "shop/x")],
)
def test_what_cannot_be_sampled_is_wrong_usage(
    tmp_path: Path, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _run(["--home", str(tmp_path), "sources", "scaffold", *arguments]) == 2
    (tmp_path / "groups.ndjson").write_text(lines([group(1)]))
    assert _run(["--home", str(tmp_path), "sources", "scaffold", "groups.ndjson"]) == 2


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("id", "order_id"),
        ("customerEmail", "customer_email"),
        ("Order Number", "order_number"),
        ("context.device.type", "context_device_type"),
        ("2nd", "c_2nd"),
    ],
)
def test_names_are_words_in_lower_case(path: str, name: str) -> None:
    assert guessed_name(path, "orders") == name
