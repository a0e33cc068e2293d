"""What was planted is in the data: within sampling error in the plans, and in what has landed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest
from demo_rows import assert_within_error, rows_of, share

from orchestration.demo import names, plans
from orchestration.demo.parameters import DemoParameters, Mess
from orchestration.demo.people import create_people
from orchestration.demo.plans import create_plans
from orchestration.demo.world import open_world

MANY = 100_000


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The plans of many people, nothing delivered: large enough to see small effects."""
    parameters = DemoParameters(seed=11, customers=MANY, start=date(2024, 1, 1), mess=Mess())
    world = open_world(parameters, parameters.night(1), tmp_path_factory.mktemp("scratch"))
    create_people(world, parameters)
    create_plans(world, parameters.seed)
    world.execute(
        """
        create table trial as
        select *, trial_ms >= (select from_ms from month where m = 9) as had_initiatives,
            coalesce(paid_ms < trial_ms + 30 * 86400000::bigint, false)::integer as converted
        from app_user where trial_ms is not null and not coalesce(meets_bug, false)
        """
    )
    yield world
    world.close()


def effects(truth: duckdb.DuckDBPyConnection, name: str) -> dict[str, float]:
    """Planted effect by arm."""
    return dict(truth.execute("select arm, effect from effects where name = ?", [name]).fetchall())


def conversion(world: duckdb.DuckDBPyConnection, condition: str) -> tuple[float, float]:
    """Share of trials that convert in time, and its variance."""
    row = world.execute(f"select avg(converted), count(*) from trial where {condition}").fetchone()
    assert row is not None
    return row[0], row[0] * (1 - row[0]) / row[1]


def assert_effect(
    world: duckdb.DuckDBPyConnection, arm: str, control: str, planted: float, sigmas: float = 4
) -> None:
    (one, its), (other, others) = conversion(world, arm), conversion(world, control)
    assert abs(one - other - planted) <= sigmas * math.sqrt(its + others), (arm, one - other)


@pytest.mark.parametrize("arm", ["email", "push", "both", "holdout"])
def test_each_arm_converts_by_its_effect_more(
    planned: duckdb.DuckDBPyConnection, truth: duckdb.DuckDBPyConnection, arm: str
) -> None:
    planted = effects(truth, "email_push")[arm]
    assert_effect(planned, f"arm = '{arm}'", "arm = 'control'", planted)


def test_mail_and_push_together_do_more_than_the_sum_of_both(
    planned: duckdb.DuckDBPyConnection, truth: duckdb.DuckDBPyConnection
) -> None:
    planted = effects(truth, "email_push")
    arms = {
        arm: conversion(planned, f"arm = '{arm}'") for arm in ("control", "email", "push", "both")
    }
    interaction = arms["both"][0] - arms["email"][0] - arms["push"][0] + arms["control"][0]
    expected = planted["both"] - planted["email"] - planted["push"]
    error = math.sqrt(sum(variance for _, variance in arms.values()))
    assert expected >= 0.05
    assert abs(interaction - expected) <= 4 * error
    assert interaction > 4 * error, "large enough to be found"


def test_one_initiative_worked_and_one_did_nothing(
    planned: duckdb.DuckDBPyConnection, truth: duckdb.DuckDBPyConnection
) -> None:
    worked = effects(truth, "onboarding_checklist")["checklist"]
    idle = effects(truth, "new_colours")["colours"]
    assert worked > idle == 0
    for column, planted in (("has_checklist", worked), ("has_colours", idle)):
        assert_effect(
            planned, f"had_initiatives and {column}", f"had_initiatives and not {column}", planted
        )
    assert_effect(planned, "not had_initiatives and has_checklist",
        "not had_initiatives and not has_checklist", 0)  # fmt: skip


def test_poor_experiences_raise_churn_and_the_third_does_most(
    planned: duckdb.DuckDBPyConnection, truth: duckdb.DuckDBPyConnection
) -> None:
    months = """
        select m, least(18, coalesce(ceil((cancel_ms - paid_ms) / month_ms), 18)) as last_month,
            (cancel_ms is not null and last_month = m
                and ceil((cancel_ms - paid_ms) / month_ms) = m) as is_lost,
            (coalesce(ceil((poor_1_ms - paid_ms) / month_ms) < m, false)::integer
                + coalesce(ceil((poor_2_ms - paid_ms) / month_ms) < m, false)::integer
                + coalesce(ceil((poor_3_ms - paid_ms) / month_ms) < m, false)::integer)
                as poor_count
        from (select *, 30 * 86400000.0 as month_ms from app_user where paid_ms is not null),
            unnest(range(1, 19)) as t(m)
        where m <= last_month
    """
    rows = planned.execute(
        f"select poor_count, count(*), count(*) filter (where is_lost) from ({months}) group by all"
    ).fetchall()
    found = {poor: (lost, lived) for poor, lived, lost in rows}
    planted = effects(truth, "poor_experience")
    ratios = [1.0, planted["first"], planted["second"], planted["third"]]
    for poor, ratio in enumerate(ratios):
        assert_within_error(*found[poor], plans.MONTHLY_CHURN * ratio)
    steps = [later - earlier for earlier, later in pairwise(ratios)]
    assert min(steps) > 0
    assert max(steps) == steps[2]


def test_checkouts_fail_in_one_version_on_mobile_for_some_weeks(
    home: Path, truth: duckdb.DuckDBPyConnection
) -> None:
    row = truth.execute(
        """select app_version, device_types, error_code, rate, usual_rate, started_at, ended_at
        from frictions where friction = 'checkout_bug'"""
    ).fetchone()
    assert row is not None
    version, devices, code, rate, usual, started_at, ended_at = row
    assert 14 <= (ended_at - started_at).days <= 70
    tries, failures = {True: set(), False: set()}, {True: set(), False: set()}
    for call in rows_of(home, "segment", "events"):
        if call["type"] != "track" or not call["messageId"]:
            continue
        context = call["context"]
        is_bug = context["app"]["version"] == version
        if is_bug and call["timestamp"] != "soon":
            assert context["device"]["type"] in devices
            assert started_at.isoformat() <= call["timestamp"][:19] <= ended_at.isoformat()
        if call["event"] == "Checkout Started":
            tries[is_bug].add(call["properties"]["order_id"])
        if call["event"] == "Checkout Failed":
            failures[is_bug].add(call["properties"]["order_id"])
            assert (call["properties"]["error_code"] == code) == is_bug
    assert len(tries[True]) >= 10
    assert_within_error(len(failures[True]), len(tries[True]), rate)
    assert_within_error(len(failures[False]), len(tries[False]), usual)


def test_what_sales_hands_over_waits_long_in_support(
    home: Path, truth: duckdb.DuckDBPyConnection
) -> None:
    planted = truth.execute(
        "select rate, usual_rate from frictions where friction = 'slow_handoff'"
    ).fetchone()
    assert planted is not None
    handed = {
        e["ticket_id"] for e in rows_of(home, "zendesk", "ticket_events")
        if e["field_name"] == "group_id"
    }  # fmt: skip
    staff = {u["id"] for u in rows_of(home, "zendesk", "users") if u["role"] != "end-user"}
    times: dict[int, dict[str, str]] = {}
    for ticket in rows_of(home, "zendesk", "tickets"):
        times.setdefault(ticket["id"], {})["opened"] = ticket["created_at"]
    for comment in rows_of(home, "zendesk", "comments"):
        if comment["public"] and comment["author_id"] in staff:
            times.setdefault(comment["ticket_id"], {})["answered"] = comment["created_at"]
    connection = duckdb.connect()
    for is_handed, mean in ((True, planted[0]), (False, planted[1])):
        pairs = [
            (t["opened"], t["answered"]) for ticket, t in times.items()
            if (ticket in handed) == is_handed and len(t) == 2 and "soon" not in t.values()
        ]  # fmt: skip
        assert len(pairs) > 100
        hours = [
            share(connection, f"select epoch(timestamp '{b}' - timestamp '{a}') / 3600")
            for a, b in pairs
        ]
        # Waiting times are exponential: their mean has an error of itself by the root of n.
        assert abs(sum(hours) / len(hours) - 0.2 - mean) <= 4 * mean / math.sqrt(len(hours))


def test_the_strong_campaign_is_clicked_more_by_its_effect(
    home: Path, truth: duckdb.DuckDBPyConnection
) -> None:
    campaigns = {campaign["id"]: campaign for campaign in rows_of(home, "mailchimp", "campaigns")}
    strong = {
        key for key, campaign in campaigns.items()
        if campaign["settings"]["title"].startswith("Finish your setup")
    }  # fmt: skip
    done: dict[tuple[bool, str], set[tuple[str, str]]] = {}
    for row in rows_of(home, "mailchimp", "email_activity"):
        who = (row["campaign_id"], row["unique_email_id"])
        done.setdefault((row["campaign_id"] in strong, row["action"]), set()).add(who)
    usual = len(done[False, "click"]) / len(done[False, "open"])
    effect = effects(truth, "finish_your_setup")["sent"]
    clicks = done[True, "click"] & done[True, "open"]
    assert_within_error(len(clicks), len(done[True, "open"]), usual + effect)
    assert {"sent", "open", "click", "bounce", "unsub", "abuse"} >= {action for _, action in done}
    assert all(c["budget"]["amount"] and c["settings"]["template_id"] for c in campaigns.values())


def test_moods_and_reasons_can_be_found_in_what_customers_write(
    home: Path, truth: duckdb.DuckDBPyConnection
) -> None:
    texts = {str(c["id"]): c["body"] for c in rows_of(home, "zendesk", "comments")}
    moods = truth.execute("select event_id, mood from moods where entity = 'comments'").fetchall()
    assert {mood for _, mood in moods} == set(names.MOODS)
    assert all(texts[comment] in names.MOODS[mood] for comment, mood in moods)
    cancelled = {
        c["properties"]["subscription_id"]: c["properties"]["reason"]
        for c in rows_of(home, "segment", "events") if c["event"] == "Subscription Cancelled"
    }  # fmt: skip
    planted = truth.execute("select reason, count(*) from reasons group by all").fetchall()
    assert sorted(cancelled.values()) == sorted(r for reason, n in planted for r in [reason] * n)
    told = [
        field["value"] for ticket in rows_of(home, "zendesk", "tickets")
        for field in ticket["custom_fields"] if field["id"] == 1004 and field["value"]
    ]  # fmt: skip
    assert len(told) >= 5
    assert set(told) <= {reason for reason, _ in planted}
