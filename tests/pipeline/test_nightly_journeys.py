"""`trial_to_paid` against the planted journeys of the persons whose identity was resolved right."""

from __future__ import annotations

import duckdb
from built_company import Built, rightly_resolved


def test_stage_visits_are_the_planted_ones(
    built: Built, release: duckdb.DuckDBPyConnection
) -> None:
    customers = rightly_resolved(built, release)
    planted = [
        (customers[person_id], *visit)
        for person_id, *visit in duckdb.sql(
            f"""
            select person_id, stage, visit_number, entered_at, left_at, left_by
            from {built.truth("stage_visits")}
            where journey = 'trial_to_paid'
            """
        ).fetchall()
        if person_id in customers
    ]
    known = set(customers.values())
    found = [
        visit
        for visit in release.execute(
            """
            select customer_id, stage, visit_number, entered_at, left_at, left_by
            from fct_journey_stages
            where journey = 'trial_to_paid'
            """
        ).fetchall()
        if visit[0] in known
    ]
    assert len(planted) > 200
    assert sorted(found, key=str) == sorted(planted, key=str)


def test_outcomes_are_the_planted_ones(built: Built, release: duckdb.DuckDBPyConnection) -> None:
    customers = rightly_resolved(built, release)
    planted = {
        customers[person_id]: (outcome, ended_at)
        for person_id, outcome, ended_at in duckdb.sql(
            f"select distinct person_id, outcome, ended_at from {built.truth('stage_visits')}"
        ).fetchall()
        if person_id in customers
    }
    found = {
        customer_id: (outcome, ended_at)
        for customer_id, outcome, ended_at in release.execute(
            "select customer_id, outcome, ended_at from fct_journeys"
        ).fetchall()
        if customer_id in planted
    }
    assert {"converted", "expired"} <= {outcome for outcome, _ in planted.values()}
    assert found == planted
