"""The lines that docs/connectors.md tells people to put are entries that can be."""

from __future__ import annotations

import re
import textwrap
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from orchestration.connectors.entries import Connector
from orchestration.ingest.contracts import load_contracts
from orchestration.settings import REPO_ROOT, Settings

PAGE = (REPO_ROOT / "docs" / "connectors.md").read_text(encoding="utf-8")
BLOCKS = [textwrap.dedent(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]


def entry_of(block: str) -> dict[str, Any]:
    """The connector in a block, whether the source's other lines stand around it or not."""
    found = yaml.safe_load(block)
    source = found[0] if isinstance(found, list) else found
    entry: dict[str, Any] = source["connector"]
    return entry


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: entry_of(block)["kind"])
def test_a_shown_entry_is_valid(block: str) -> None:
    entry = TypeAdapter(Connector).validate_python(entry_of(block))
    assert entry.tables


def test_every_kind_of_connector_is_shown() -> None:
    shown = {entry_of(block)["kind"] for block in BLOCKS}
    assert shown >= {"hubspot", "mailchimp", "zendesk", "postgresql", "object_storage", "elt"}


@pytest.mark.parametrize("table", ["companies", "owners"])
def test_the_columns_shown_for_a_csv_contract_are_those_that_it_reads(table: str) -> None:
    (entry,) = [entry_of(block) for block in BLOCKS if entry_of(block)["kind"] == "hubspot"]
    contract = load_contracts(Settings(home=REPO_ROOT))[("hubspot", table)]
    assert set(entry["tables"][table]["columns"]) == {column.path for column in contract.columns}
