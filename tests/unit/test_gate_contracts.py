"""The contracts of the published tables: sound, safe, and what the design promises."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import open_data_contract_standard
import publishing
import pytest
import yaml

from orchestration.errors import JourneylineError
from orchestration.gate.contracts import DIRECT_IDENTIFIER, load_product_contracts
from orchestration.settings import REPO_ROOT

PRODUCTS = REPO_ROOT / "data_contracts" / "products"
CONTRACTS = {contract.table: contract for contract in load_product_contracts(PRODUCTS)}


@pytest.mark.parametrize("path", sorted(PRODUCTS.glob("*.yaml")), ids=lambda path: path.name)
def test_a_contract_keeps_the_open_data_contract_standard(path: Path) -> None:
    schema = Path(open_data_contract_standard.__file__).with_name("schema.json")
    jsonschema.validate(yaml.safe_load(path.read_text()), json.loads(schema.read_text()))


def test_no_published_column_is_a_direct_identifier() -> None:
    classes = {column.classification for c in CONTRACTS.values() for column in c.columns}
    assert DIRECT_IDENTIFIER not in classes
    names = {column.name for c in CONTRACTS.values() for column in c.columns}
    assert not names & {"email", "phone", "first_name", "last_name", "address", "postal_code"}


def test_a_contract_that_publishes_a_direct_identifier_is_refused(tmp_path: Path) -> None:
    settings = publishing.make_home(tmp_path)
    path = settings.contracts / "products" / "dim_customers.odcs.yaml"
    path.write_text(path.read_text().replace("internal", DIRECT_IDENTIFIER))
    with pytest.raises(JourneylineError, match="direct_identifier") as raised:
        load_product_contracts(path.parent)
    assert raised.value.exit_code == 2


def test_a_name_in_a_contract_cannot_carry_sql(tmp_path: Path) -> None:
    settings = publishing.make_home(tmp_path)
    path = settings.contracts / "products" / "dim_customers.odcs.yaml"
    path.write_text(path.read_text().replace("name: country", 'name: "country; drop table x"'))
    with pytest.raises(JourneylineError, match="is not a name"):
        load_product_contracts(path.parent)


@pytest.mark.parametrize("table", CONTRACTS)
def test_the_sort_key_orders_rows_without_ties(table: str) -> None:
    contract = CONTRACTS[table]
    assert contract.sort_key
    assert not contract.key or set(contract.key) <= set(contract.sort_key)


def test_big_facts_are_split_by_the_month_of_their_event() -> None:
    assert {t: c.month_column for t, c in CONTRACTS.items() if c.month_column} == {
        "fct_touchpoints": "occurred_at",
        "fct_unattributed_touchpoints": "occurred_at",
        "fct_service_steps": "occurred_at",
        "fct_sessions": "started_at",
    }


@pytest.mark.parametrize("table", CONTRACTS)
def test_foreign_keys_point_to_published_keys(table: str) -> None:
    for column in CONTRACTS[table].columns:
        if column.references is not None:
            target, key = column.references
            assert CONTRACTS[target].key == (key,)
