"""A product contract changes only with its version, and the old one is served beside it."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import publishing
import pytest

from orchestration.errors import JourneylineError
from orchestration.gate.checks import AuditContext, KpiBound, derive_checks
from orchestration.gate.contracts import load_product_contracts
from orchestration.publish.publisher import publish
from orchestration.settings import REPO_ROOT, Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    home = publishing.make_home(tmp_path)
    publish(home, "run-1")
    return home


def tables(settings: Settings) -> set[str]:
    return {path.name for path in (settings.current / "parquet").iterdir()}


def refusal(settings: Settings) -> str:
    before = settings.current.resolve()
    with pytest.raises(JourneylineError) as raised:
        publish(settings, "run-2")
    assert raised.value.exit_code == 3
    assert settings.current.resolve() == before
    return str(raised.value)


def test_a_breaking_change_is_refused_without_a_new_version(settings: Settings) -> None:
    publishing.break_contract(settings, version="1.1.0")
    told = refusal(settings)
    assert "dim_customers lost country, but its version went from 1.0.0 to 1.1.0" in told


def test_a_new_version_needs_the_old_one_beside_it(settings: Settings) -> None:
    publishing.break_contract(settings, version="2.0.0")
    assert "dim_customers_v1 is not beside it" in refusal(settings)


def test_the_old_version_is_served_beside_the_new_one_for_the_time_declared(
    settings: Settings,
) -> None:
    publishing.break_contract(settings, version="2.0.0", beside="2026-01-06")
    publishing.add_night(settings, 1)
    publish(settings, "run-2")
    assert {"dim_customers", "dim_customers_v1"} <= tables(settings)
    with duckdb.connect(str(settings.current / "journeyline.duckdb"), read_only=True) as connection:
        assert connection.execute(
            "select count(*) from dim_customers inner join dim_customers_v1 using (customer_id) "
            "where land = country"
        ).fetchall() == [(20,)]
    publishing.add_night(settings, 2)
    publish(settings, "run-3")
    assert "dim_customers_v1" not in tables(settings)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("physicalType: bigint", "physicalType: integer", "handling_seconds as INTEGER"),
        ("primaryKey: true", "primaryKey: false", "has another key"),
    ],
)
def test_another_type_or_key_is_a_breaking_change(
    settings: Settings, old: str, new: str, says: str
) -> None:
    contract = settings.contracts / "products" / "fct_touchpoints.odcs.yaml"
    contract.write_text(contract.read_text().replace(old, new))
    assert says in refusal(settings)


def test_a_table_that_is_gone_is_a_breaking_change(settings: Settings) -> None:
    (settings.contracts / "products" / "fct_touchpoints.odcs.yaml").unlink()
    assert "fct_touchpoints is no longer published" in refusal(settings)


def test_a_new_column_that_may_be_null_breaks_nothing(settings: Settings) -> None:
    publishing.change(settings, "alter table unify.dim_customers add column plan varchar")
    contract = settings.contracts / "products" / "dim_customers.odcs.yaml"
    text = contract.read_text()
    column = text[text.index("  - classification: internal\n    description: The country.") :]
    column = column[: column.index("required: false") + len("required: false\n")]
    contract.write_text(text.replace(column, column + column.replace("country", "plan")))
    assert publish(settings, "run-2").published


def test_every_kind_of_check_has_its_section_in_the_runbook() -> None:
    runbook = (REPO_ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    anchors = {
        "#" + heading.strip().lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", runbook, re.MULTILINE)
    }
    contracts = load_product_contracts(REPO_ROOT / "data_contracts" / "products")
    context = AuditContext(
        {contract.table: 1 for contract in contracts},
        (KpiBound("a", 0, 1),),
        {("crm", "contacts"): 1.0},
        publishing.NOW.replace(tzinfo=None),
    )
    named = {check.first_aid for check in derive_checks(contracts, context)}
    assert {f"docs/runbook.md{anchor}" for anchor in anchors} >= named
    assert len(named) == 12
