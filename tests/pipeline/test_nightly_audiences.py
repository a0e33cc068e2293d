"""Audiences against the truth of the persons whose identity was resolved right."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import duckdb
import pytest
from built_company import Built, rightly_resolved

from orchestration import warehouse

# Who should be in an audience at the as-of, by the truth alone; `{as_of}` is its instant.
_TRULY = {
    "trials_waiting_to_start": """
        select person_id, entered_at + interval 7 day from {stage_visits}
        where
            journey = 'trial_to_paid' and stage = 'trial' and left_at is null and outcome is null
            and entered_at + interval 7 day <= {as_of}
    """,
    "lapsed_payers": """
        select person_id, occurred_at from {reasons}
        where outcome = 'cancelled' and occurred_at + interval 180 day > {as_of}
    """,
}


@pytest.fixture
def as_of(release: duckdb.DuckDBPyConnection) -> datetime:
    """The instant the release is as of."""
    found = release.execute("select max(as_of) from _release").fetchone()
    assert found is not None
    instant: datetime = found[0]
    return instant.replace(tzinfo=None)


def _rows(sql: str) -> list[tuple[Any, ...]]:
    return duckdb.sql(sql).fetchall()


@pytest.mark.parametrize("audience", sorted(_TRULY))
def test_members_are_those_whom_the_truth_says(
    built: Built, release: duckdb.DuckDBPyConnection, as_of: datetime, audience: str
) -> None:
    customers = rightly_resolved(built, release)
    truths = {name: built.truth(name) for name in ("stage_visits", "reasons")}
    asked = _TRULY[audience].format(as_of=f"timestamp '{as_of}'", **truths)
    planted = {
        (customers[person_id], qualified_at)
        for person_id, qualified_at in _rows(asked)
        if person_id in customers
    }
    known = set(customers.values())
    found = {
        member
        for member in release.execute(
            "select customer_id, qualified_at from fct_audience_memberships where audience = ?",
            [audience],
        ).fetchall()
        if member[0] in known
    }
    assert len(planted) >= 2
    assert found == planted


def test_customers_of_whom_the_company_lost_data_are_members_until_it_talks_with_them(
    built: Built, release: duckdb.DuckDBPyConnection, as_of: datetime
) -> None:
    customers = rightly_resolved(built, release)
    lost = {
        customers[person_id]: occurred_at
        for person_id, occurred_at in _rows(
            f"""
            select person_id, max(occurred_at) from {built.truth("poor_experiences")}
            group by all having max(occurred_at) + interval 60 day > timestamp '{as_of}'
            """
        )
        if person_id in customers
    }
    talked = dict(
        release.execute(
            """
            select customer_id, max(occurred_at) from fct_touchpoints
            where touchpoint_type in ('ticket_commented', 'call_held', 'meeting_held') group by all
            """
        ).fetchall()
    )
    members = release.execute(
        """
        select customer_id, qualified_at from fct_audience_memberships
        where audience = 'poor_experiences_unresolved'
        """
    ).fetchall()
    waiting = {c: at for c, at in lost.items() if c not in talked or talked[c] <= at}
    known = set(customers.values())
    assert waiting
    assert {c: at for c, at in members if c in known} == waiting


def test_consent_for_email_is_what_was_planted(
    built: Built, release: duckdb.DuckDBPyConnection
) -> None:
    customers = rightly_resolved(built, release)
    planted = {
        customers[person_id]: suppressed_by
        for person_id, suppressed_by in _rows(
            f"select person_id, suppressed_by from {built.truth('consents')}"
        )
        if person_id in customers
    }
    connection = warehouse.connect(built.settings.warehouse, read_only=True)
    consents = dict(
        connection.execute(
            "select customer_id, suppressed_by from decide.int_customer_email_consents"
        ).fetchall()
    )
    connection.close()
    asked = {c: consents[c] for c in planted}
    unasked = {consents[c] for c in customers.values() if c not in planted}
    assert len(planted) > 100
    assert {"unsubscribed", None} <= set(planted.values())
    assert asked == planted
    assert unasked <= {"no_consent", "no_address"}


def test_what_is_told_of_consent_is_what_was_planted(
    built: Built, release: duckdb.DuckDBPyConnection
) -> None:
    """An address that bounces says nothing: such a person is left as they were before."""
    customers = rightly_resolved(built, release)
    planted = {
        customers[person_id]: "granted" if suppressed_by is None else "withdrawn"
        for person_id, suppressed_by in _rows(
            f"select person_id, suppressed_by from {built.truth('consents')}"
        )
        if person_id in customers and suppressed_by != "bounced"
    }
    told = dict(
        release.execute(
            """
            select customer_id, state from fct_customer_consents
            where purpose = 'marketing' and channel = 'email' and valid_to is null
            """
        ).fetchall()
    )
    assert set(planted.values()) == {"granted", "withdrawn"}
    assert {customer_id: told[customer_id] for customer_id in planted} == planted


def test_members_have_the_consent_that_is_published_of_them(
    release: duckdb.DuckDBPyConnection,
) -> None:
    members = release.execute(
        """
        select memberships.channel, consent_state, state, is_reachable
        from fct_audience_memberships as memberships
        left join fct_customer_consents as consents
            on memberships.customer_id = consents.customer_id
            and memberships.channel = consents.channel
            and consents.purpose = 'marketing' and consents.valid_to is null
        """
    ).fetchall()
    assert {channel for channel, *_ in members} == {"email", "push"}
    assert {"granted", "never_given"} <= {member[1] for member in members}
    assert all(consent_state == state for _, consent_state, state, _ in members)
    assert all(state == "granted" for _, _, state, is_reachable in members if is_reachable)


def test_nobody_is_reachable_whose_consent_the_truth_denies(
    built: Built, release: duckdb.DuckDBPyConnection
) -> None:
    """Not only of those who were resolved right: one record of a person's is enough to refuse."""
    denied = {
        record_id
        for (record_id,) in _rows(
            f"""
            select record_id from {built.truth("records")}
            inner join {built.truth("consents")} using (person_id)
            where source = 'mailchimp' and suppressed_by is not null
            """
        )
    }
    reachable = release.execute(
        """
        select record_id
        from fct_audience_memberships
        inner join bridge_customer_records using (customer_id)
        where is_reachable and channel = 'email' and source = 'mailchimp'
        """
    ).fetchall()
    assert denied
    assert reachable
    assert denied.isdisjoint(record_id for (record_id,) in reachable)
