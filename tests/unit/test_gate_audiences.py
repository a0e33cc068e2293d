"""Nobody is published as reachable whose consent the release itself denies."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from orchestration.gate.checks import ERROR, AuditContext, Check, derive_checks
from orchestration.gate.contracts import load_product_contracts
from orchestration.settings import Settings

_CUSTOMERS = """
    create table dim_customers as select * from (values
        ('subscribed', true), ('left', false), ('unasked', null)
    ) as rows (customer_id, is_subscribed)
"""
_SOUND = [
    ("subscribed", "email", "granted", None, True),
    ("left", "email", "withdrawn", "unsubscribed", False),
    ("unasked", "email", "never_given", "no_consent", False),
    ("unasked", "push", "granted", None, True),
]


@pytest.fixture
def check() -> Check:
    """The invariant, as the real contracts derive it."""
    contracts = load_product_contracts(Settings(home=Path("/nonexistent")).contracts / "products")
    (found,) = [
        check
        for check in derive_checks(contracts, AuditContext())
        if check.name == "only_consent_makes_reachable"
    ]
    assert found.severity == ERROR
    return found


def _failing(check: Check, rows: list[tuple[str, str, str, str | None, bool]]) -> set[str]:
    with duckdb.connect() as connection:
        connection.execute(_CUSTOMERS)
        connection.execute(
            "create table fct_audience_memberships (customer_id text, channel text, "
            "consent_state text, suppressed_by text, is_reachable boolean, audience text)"
        )
        connection.executemany(
            "insert into fct_audience_memberships values (?, ?, ?, ?, ?, 'all')", rows
        )
        return {row[1] for row in connection.execute(check.failing_rows).fetchall()}


def test_members_with_consent_or_a_reason_are_sound(check: Check) -> None:
    assert _failing(check, _SOUND) == set()


@pytest.mark.parametrize(
    "row",
    [
        ("subscribed", "email", "pending", None, True),
        ("subscribed", "email", "granted", "bounced", True),
        ("subscribed", "email", "granted", None, False),
        ("left", "email", "granted", None, True),
        ("unasked", "email", "granted", None, True),
        ("nobody", "email", "granted", None, True),
    ],
)
def test_a_member_who_is_reachable_without_consent_or_suppressed_without_a_reason_is_found(
    check: Check, row: tuple[str, str, str, str | None, bool]
) -> None:
    assert _failing(check, [*_SOUND, row]) == {row[0]}
