"""What a contract says can neither become SQL nor lead out of the release."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import duckdb
import publishing
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestration.errors import JourneylineError
from orchestration.gate.checks import AuditContext, KpiBound, derive_checks
from orchestration.gate.contracts import load_product_contracts
from orchestration.publish.parquet import select_published

HOSTILE = st.one_of(
    st.sampled_from(
        [
            "x; drop table t",
            "x'; drop table t; --",
            'x" ; drop table t; --',
            "../../etc",
            "/etc/passwd",
            "x) from t; delete from t; select (1",
            "a/**/b",
            "é",
            "",
            "x\ny",
            "x\n",
            "\0",
        ]
    ),
    st.text(max_size=12),
)
NAME = re.compile(r"[a-z][a-z0-9_]*")
FIELDS = ("name", "warehouseSchema", "sortKey", "monthColumn", "physicalType", "column", "to")


def contract_with(field: str, value: str, words: list[str]) -> dict[str, object]:
    """The contract of the touchpoints with one hostile field and hostile values allowed."""
    with tempfile.TemporaryDirectory() as folder:
        publishing.write_contract(Path(folder), "fct_touchpoints")
        path = Path(folder) / "data_contracts" / "products" / "fct_touchpoints.odcs.yaml"
        document: dict[str, object] = yaml.safe_load(path.read_text())
    (schema,) = document["schema"]  # type: ignore[misc]
    properties = schema["properties"]
    custom = {item["property"]: item for item in schema["customProperties"]}
    rule = {"metric": "invalidValues", "arguments": {"validValues": words}, "mustBe": 0}
    properties[2]["quality"] = [rule]
    properties[2]["description"] = value
    if field == "name":
        schema["name"] = value
    elif field == "column":
        properties[2]["name"] = value
    elif field == "physicalType":
        properties[2]["physicalType"] = value
    elif field == "to":
        properties[1]["relationships"] = [{"to": f"dim_customers.{value}"}]
    elif field == "sortKey":
        custom["sortKey"]["value"] = [value]
    else:
        custom[field]["value"] = value
    return document


@settings(max_examples=150, deadline=None)
@given(field=st.sampled_from(FIELDS), value=HOSTILE, words=st.lists(HOSTILE, min_size=1))
@example(field="monthColumn", value="", words=["\0"])
@example(field="monthColumn", value="occurred_at", words=["\0"])
def test_a_contract_is_refused_or_says_one_select_and_plain_names(
    field: str, value: str, words: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        document = contract_with(field, value, words)
        path = Path(folder) / "a.odcs.yaml"
        path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
        try:
            contracts = load_product_contracts(Path(folder))
        except JourneylineError as error:
            assert error.exit_code == 2
            return
    (contract,) = contracts
    names = [contract.table, contract.schema, *contract.sort_key]
    names += [column.name for column in contract.columns]
    names += [part for column in contract.columns for part in column.references or ()]
    assert all(NAME.fullmatch(name) for name in names), names
    context = AuditContext({contract.table: 5}, (KpiBound(value, 0, 1),), {(value, value): 1.0})
    for check in derive_checks(contracts, context):
        assert len(duckdb.extract_statements(check.failing_rows)) == 1, check.name
    found = {column.name: column.data_type for column in contract.columns}
    assert len(duckdb.extract_statements(select_published(contract, found))) == 1


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_that_is_no_name_is_refused(field: str, tmp_path: Path) -> None:
    document = contract_with(field, "x; drop table t", ["inbound"])
    (tmp_path / "a.odcs.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    with pytest.raises(JourneylineError) as raised:
        load_product_contracts(tmp_path)
    assert raised.value.exit_code == 2
