"""What a change of a contract breaks, and whom."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration.cli.main import _run
from orchestration.ingest.contract_diff import diff_contracts
from orchestration.settings import REPO_ROOT

CONTRACTS = REPO_ROOT / "data_contracts"
SOURCE = CONTRACTS / "sources" / "zendesk.tickets.odcs.yaml"
PRODUCT = CONTRACTS / "products" / "fct_journeys.odcs.yaml"
Change = Callable[[dict[str, dict[str, Any]], dict[str, Any]], object]


def changed(path: Path, target: Path, change: Change) -> Path:
    """A copy in which a change was made to the columns by name, and to the document."""
    document = yaml.safe_load(path.read_text("utf-8"))
    table = document["schema"][0]
    columns = {column["name"]: column for column in table["properties"]}
    change(columns, document)
    table["properties"] = list(columns.values())
    target.write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")
    return target


def custom(document: dict[str, Any], name: str, value: object) -> None:
    for item in document["customProperties"]:
        if item["property"] == name:
            item["value"] = value


ALIAS = [{"property": "aliases", "value": ["subject_line"]}]
SOURCES: list[tuple[Change, str | None, str, bool]] = [
    (lambda c, d: c.pop("channel"), "channel", "removed", True),
    (lambda c, d: c["subject"].update(required=True), "subject", "became required", True),
    (lambda c, d: c["created_at"].update(required=False), "created_at", "may be missing", True),
    (lambda c, d: c["priority"].update(physicalType="bigint"), "priority",
     "text became bigint", True),
    (lambda c, d: c["refund_amount"].update(physicalType="decimal(20,4)"), "refund_amount",
     "decimal(18,4) became decimal(20,4)", False),
    (lambda c, d: c["refund_amount"].update(physicalType="decimal(18,6)"), "refund_amount",
     "decimal(18,4) became decimal(18,6)", True),
    (lambda c, d: c["status"]["enum"].pop(), "status", "value deleted removed", True),
    (lambda c, d: c["status"]["enum"].append({"value": "gone"}), "status", "value gone added",
     False),
    (lambda c, d: c["status"].pop("enum"), "status", "closed set dropped", False),
    (lambda c, d: c["priority"].update(enum=[{"value": "low"}]), "priority",
     "closed set declared", True),
    (lambda c, d: c["subject"].update(physicalName="title"), "subject",
     "no longer read from subject", True),
    (lambda c, d: c["subject"].update(customProperties=ALIAS), "subject",
     "also read from subject_line", False),
    (lambda c, d: c["subject"].update(classification="internal"), "subject",
     "direct_identifier became internal", True),
    (lambda c, d: c["status"].update(classification="confidential"), "status",
     "internal became confidential", False),
    (lambda c, d: c["status"].update(description="Another."), "status", "described otherwise",
     False),
    (lambda c, d: c.update(new={**c["status"], "name": "new", "required": False}), "new",
     "added", False),
    (lambda c, d: c.update(new={**c["status"], "name": "new", "required": True}), "new",
     "added", True),
    (lambda c, d: c["requester_id"].update(primaryKey=True, primaryKeyPosition=2), None,
     "key (ticket_id) became (ticket_id, requester_id)", True),
    (lambda c, d: custom(d, "rateBound", 0.01), None, "rateBound: 0.05 became 0.01", True),
    (lambda c, d: custom(d, "rateBound", 0.1), None, "rateBound: 0.05 became 0.1", False),
    (lambda c, d: custom(d, "driftPolicy", "stop"), None, "driftPolicy: evolve became stop", True),
    (lambda c, d: custom(d, "format", "csv"), None, "format: ndjson became csv", True),
]  # fmt: skip
PRODUCTS: list[tuple[Change, str | None, str, bool]] = [
    (lambda c, d: c.pop("outcome"), "outcome", "removed", True),
    (lambda c, d: c["customer_id"].update(required=False), "customer_id", "may be null", True),
    (lambda c, d: c["outcome"].update(required=True), "outcome", "is never null", False),
    (lambda c, d: c["outcome"].update(enum=[{"value": "converted"}]), "outcome",
     "closed set declared", False),
    (lambda c, d: c.update(new={**c["outcome"], "name": "new"}), "new", "added", False),
    (lambda c, d: c["started_at"].update(physicalType="varchar"), "started_at",
     "timestamp became varchar", True),
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "change", "column", "said", "is_breaking"),
    [(SOURCE, *case) for case in SOURCES] + [(PRODUCT, *case) for case in PRODUCTS],
)
def test_one_change_is_named_with_its_column_and_verdict(
    tmp_path: Path, path: Path, change: Change, column: str | None, said: str, is_breaking: bool
) -> None:
    if path == PRODUCT:
        path = changed(path, tmp_path / "old.yaml", lambda c, d: c["outcome"].pop("enum", None))
    found = diff_contracts(path, changed(path, tmp_path / "new.yaml", change))
    # A column that is read from elsewhere is also no longer read from where it was.
    (only, *others) = found.changes
    assert [c.change for c in others] == ["also read from title"] * said.startswith("no longer")
    assert (only.column, only.change, only.is_breaking) == (column, said, is_breaking)
    assert len(only.why) > 5
    assert found.needs_major is is_breaking


def test_the_command_says_so_by_its_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    same = shutil.copy(SOURCE, tmp_path / "same.yaml")
    assert _run(["contracts", "diff", str(SOURCE), str(same)]) == 0
    assert "nothing changed" in capsys.readouterr().out

    def change(columns: dict[str, dict[str, Any]], document: dict[str, Any]) -> None:
        columns.pop("channel")
        document["version"] = "2.0.0"

    new = changed(SOURCE, tmp_path / "new.yaml", change)
    assert _run(["contracts", "diff", str(SOURCE), str(new), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["is_breaking"], told["needs_major"]) == (True, False)
    assert [c["column"] for c in told["changes"]] == ["channel"]
    assert _run(["contracts", "diff", str(SOURCE), str(PRODUCT)]) == 2
    assert _run(["contracts", "diff", str(SOURCE), str(tmp_path / "absent.yaml")]) == 2
