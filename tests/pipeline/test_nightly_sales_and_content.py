"""Deals, contents and the employees' pulse reach the release, each once and as planted."""

from __future__ import annotations

import duckdb
from built_company import Built, rightly_resolved

SMALLEST_CELL = 5


def test_every_planted_deal_is_published_once_with_its_final_stage(
    built: Built, release: duckdb.DuckDBPyConnection
) -> None:
    asked = "deal_id, current_stage, outcome, lost_reason, competitor, closed_at"
    planted = duckdb.sql(
        f"select {asked}, amount from {built.truth('deals')} order by deal_id"
    ).fetchall()
    found = release.execute(
        f"select {asked}, value_amount from fct_deals order by deal_id"
    ).fetchall()
    assert len(planted) > 50
    assert {"won", "lost", None} == {deal[2] for deal in planted}
    assert {deal[4] for deal in planted} > {None}
    assert found == planted


def test_deals_of_rightly_resolved_persons_belong_to_their_customer(
    built: Built, release: duckdb.DuckDBPyConnection
) -> None:
    customers = rightly_resolved(built, release)
    owners = dict(release.execute("select deal_id, customer_id from fct_deals").fetchall())
    planted = {
        deal_id: customers[person_id]
        for deal_id, person_id in duckdb.sql(
            f"select deal_id, person_id from {built.truth('deals')}"
        ).fetchall()
        if person_id in customers
    }
    assert len(planted) > 30
    # A contact that has not been delivered yet has no customer.
    told = {deal_id: owners[deal_id] for deal_id in planted if owners[deal_id] is not None}
    assert told.items() <= planted.items()
    assert len(told) >= 0.95 * len(planted)


def test_a_deals_touchpoints_and_its_stages_are_one_story(
    built: Built, release: duckdb.DuckDBPyConnection
) -> None:
    told = release.execute(
        """
        select deal_id, occurred_at from fct_touchpoints where deal_id is not null order by all
        """
    ).fetchall()
    stages = release.execute(
        """
        select deal_id, entered_at from fct_deal_stages where customer_id is not null order by all
        """
    ).fetchall()
    kinds = release.execute(
        """
        select touchpoint_type, count(value_amount) = count(*), count(value_amount)
        from fct_touchpoints where deal_id is not null group by all order by all
        """
    ).fetchall()
    assert told == stages
    assert {kind for kind, *_ in kinds} == {"deal_opened", "deal_moved", "deal_won", "deal_lost"}
    assert {kind: states for kind, states, _ in kinds} == {
        "deal_lost": True,
        "deal_moved": False,
        "deal_opened": True,
        "deal_won": True,
    }
    assert dict((kind, count) for kind, _, count in kinds)["deal_moved"] == 0
    departments = release.execute("select distinct department from fct_deals").fetchall()
    assert departments == [("sales",)]


def test_what_a_campaign_showed_is_described_by_the_catalogue(
    release: duckdb.DuckDBPyConnection,
) -> None:
    shown = release.execute(
        """
        select is_in_catalogue, count(distinct content_id), count(*), count(title)
        from fct_touchpoints inner join dim_contents using (content_id)
        group by all order by all
        """
    ).fetchall()
    names = release.execute(
        "select count(*), count(distinct content_id) from dim_contents where is_in_catalogue"
    ).fetchone()
    orphans = release.execute(
        """
        select count(*) from fct_touchpoints
        where content_id is not null and content_id not in (select content_id from dim_contents)
        """
    ).fetchone()
    assert shown
    assert {described == count for known, _, count, described in shown if known} == {True}
    assert names == (48, 48)
    assert orphans == (0,)


def test_a_departments_pulse_is_published_from_five_answers_on_and_is_the_planted_one(
    built: Built, release: duckdb.DuckDBPyConnection
) -> None:
    planted = {
        (department, period): (answers, round(score_sum / answers, 2))
        if answers >= SMALLEST_CELL
        else (None, None)
        for department, period, answers, score_sum in duckdb.sql(
            f"select department, period_start, answers, score_sum from {built.truth('pulses')}"
        ).fetchall()
    }
    found = {
        (department, period): (answers, average)
        for department, period, answers, average in release.execute(
            """
            select department, period_start, answer_count, average_score
            from fct_department_pulses
            """
        ).fetchall()
    }
    shown = [cell for cell in planted.values() if cell[0] is not None]
    assert len(shown) > 20
    assert found == planted
    averages = {
        department: release.execute(
            "select avg(average_score) from fct_department_pulses where department = ?",
            [department],
        ).fetchone()
        for department in ("sales", "support")
    }
    assert averages["support"] < averages["sales"]
