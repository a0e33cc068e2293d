"""Replays and discards of quarantined rows: acts that outlive everything derived."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from ingest_home import FIRST, ask, group, land, lines

from orchestration.cli.main import _run
from orchestration.errors import JourneylineError
from orchestration.ingest.acts import acts_path, append_acts, read_acts
from orchestration.ingest.loader import load_deliveries
from orchestration.ingest.quarantine import act_on_quarantine, list_quarantine, show_quarantine
from orchestration.ingest.trends import quarantine_trends
from orchestration.settings import Settings

NIGHT = timedelta(days=1)
MIDNIGHT = datetime(2025, 3, 2)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture
def held(settings: Settings) -> str:
    """A delivery of 60 groups that its 20 broken rows hold; its id."""
    rows = [group(n, updated_at="soon" if n < 20 else "2025-01-02T00:00:00Z") for n in range(60)]
    delivery_id = land(settings, "zendesk/groups", lines(rows), FIRST)
    assert load_deliveries(settings, None).held_sources == ["zendesk"]
    return delivery_id


def everything(settings: Settings) -> list[list[tuple]]:
    """Raw rows, quarantine and row ledger, without the numbers of loads."""
    return [
        ask(settings, f"select * exclude ({lineage}) from {table} order by all")
        for table, lineage in (
            ("raw.zendesk__groups", "_load_number"),
            ("ingest.quarantine_rows", "payload"),
            ("ingest.deliveries", "load_number"),
        )
    ]


def refreshed(settings: Settings) -> list[list[tuple]]:
    """The same after a full refresh of everything derived."""
    settings.warehouse.unlink()
    load_deliveries(settings, None)
    return everything(settings)


def ledger(settings: Settings) -> list[tuple]:
    return ask(
        settings,
        "select status, landed_count, accepted_count, quarantined_count, duplicate_count"
        " from ingest.deliveries order by received_at, delivery_id",
    )


def test_a_replay_takes_what_was_held_and_keeps_out_what_is_broken(
    settings: Settings, held: str
) -> None:
    assert ledger(settings) == [("held", 60, 0, 60, 0)]
    acted = act_on_quarantine(settings, "replay", "zendesk/groups", None)
    assert (acted.row_count, acted.at) == (60, MIDNIGHT + timedelta(seconds=1))
    report = load_deliveries(settings, None)
    assert (report.accepted, report.quarantined, report.as_of) == (40, -40, acted.at)
    assert ledger(settings) == [("loaded", 60, 40, 20, 0)]
    assert ask(settings, "select distinct _received_at, _delivery_id from raw.zendesk__groups") == [
        (acted.at, held)
    ]
    assert ask(settings, "select distinct created_at from raw.zendesk__groups") == [
        (datetime(2025, 1, 1),)
    ]
    (broken,) = list_quarantine(settings)
    assert (broken.rule, broken.waiting_count) == ("wrong_type", 20)
    assert (broken.first_seen_at, broken.last_seen_at) == (FIRST, acted.at)
    before = everything(settings)
    assert refreshed(settings) == before


def test_a_replay_of_some_rows_leaves_the_others_held(settings: Settings, held: str) -> None:
    chosen = [row for row in show_quarantine(settings, held, 100, "rate_bound")][7]
    act_on_quarantine(settings, "replay", chosen.quarantine_id, None)
    load_deliveries(settings, None)
    assert ledger(settings) == [("held", 60, 1, 59, 0)]
    assert ask(settings, "select _row_number from raw.zendesk__groups") == [(chosen.row_number,)]
    before = everything(settings)
    assert refreshed(settings) == before


def test_a_replayed_row_that_came_by_another_way_is_a_duplicate(
    settings: Settings, held: str
) -> None:
    again = [group(n) for n in range(20, 30)]
    land(settings, "zendesk/groups", lines(again), FIRST + NIGHT)
    load_deliveries(settings, None)
    act_on_quarantine(settings, "replay", "zendesk", None, rule="rate_bound")
    land(settings, "zendesk/groups", lines([group(59), group(60)]), FIRST + 2 * NIGHT)
    load_deliveries(settings, None)
    assert ledger(settings) == [
        ("loaded", 60, 30, 20, 10),
        ("loaded", 10, 10, 0, 0),
        ("loaded", 2, 1, 0, 1),
    ]
    before = everything(settings)
    assert refreshed(settings) == before


def test_a_discarded_row_stays_out_for_ever_and_counts_as_quarantined(
    settings: Settings, held: str
) -> None:
    acted = act_on_quarantine(settings, "discard", held, None, "rate_bound", "test export")
    assert acted.tables == {"zendesk/groups": 40}
    groups = {g.rule: (g.waiting_count, g.discarded_count) for g in list_quarantine(settings)}
    assert groups == {"rate_bound": (0, 40), "wrong_type": (20, 0)}
    load_deliveries(settings, None)
    assert ledger(settings) == [("held", 60, 0, 60, 0)]
    with pytest.raises(JourneylineError):
        act_on_quarantine(settings, "discard", held, None, "rate_bound")
    settings.warehouse.unlink()
    load_deliveries(settings, None)
    states = ask(
        settings, "select state, count(*) from ingest.quarantine_rows group by 1 order by 1"
    )
    assert states == [("discarded", 40), ("waiting", 20)]
    assert ask(settings, "select count(*) from raw.zendesk__groups") == [(0,)]


def test_acts_of_several_instants_agree_with_a_full_refresh(settings: Settings, held: str) -> None:
    act_on_quarantine(settings, "discard", held, None, "rate_bound")
    act_on_quarantine(settings, "replay", held, None, "rate_bound")
    load_deliveries(settings, None)
    act_on_quarantine(settings, "replay", held, None)
    act_on_quarantine(settings, "discard", held, None)
    load_deliveries(settings, None)
    instants = [act.at for act in read_acts(settings)]
    assert instants == sorted(set(instants))
    assert ledger(settings) == [("loaded", 60, 40, 20, 0)]
    raw, _, ledgers = everything(settings)
    again_raw, _, again_ledgers = refreshed(settings)
    assert (again_raw, again_ledgers) == (raw, ledgers)


def test_the_same_broken_record_was_first_and_last_seen_over_all_deliveries(
    settings: Settings,
) -> None:
    for night in range(3):
        rows = [group(1, updated_at="soon"), group(10 + night)]
        land(settings, "zendesk/groups", lines(rows), FIRST + night * NIGHT)
        load_deliveries(settings, None)
    rows = show_quarantine(settings, "zendesk/groups")
    assert [(row.first_seen_at, row.last_seen_at) for row in rows] == [
        (FIRST, FIRST + 2 * NIGHT)
    ] * 3


def test_a_half_written_act_is_none_and_a_broken_one_is_named(settings: Settings) -> None:
    append_acts(settings, "discard", [("zendesk", "groups", "d", 1)], FIRST)
    with acts_path(settings).open("ab") as file:
        file.write(b'{"act": "replay", "at"')
    assert [act.act for act in read_acts(settings)] == ["discard"]
    append_acts(settings, "replay", [("zendesk", "groups", "d", n) for n in (1, 2, 4)], FIRST)
    assert [act.rows for act in read_acts(settings)] == [
        {"d": ((1, 1),)},
        {"d": ((1, 2), (4, 4))},
    ]
    with acts_path(settings).open("ab") as file:
        file.write(b'{"act": "replay"}\n')
    with pytest.raises(JourneylineError) as caught:
        read_acts(settings)
    assert caught.value.where.endswith("acts.ndjson:3")


def test_the_command_line_replays_and_discards(
    settings: Settings, held: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def call(*arguments: str) -> int:
        return _run(["--home", str(settings.home), "quarantine", *arguments])

    assert call("replay", held, "--rule", "rate_bound", "--reason", "checked", "--json") == 0
    assert json.loads(capsys.readouterr().out)["row_count"] == 40
    assert [act.reason for act in read_acts(settings)] == ["checked"]
    assert call("discard", "zendesk/groups", "--rule", "wrong_type") == 0
    assert "20 rows of zendesk/groups" in capsys.readouterr().out
    assert call("replay", "nobody") == 2
    assert call("list", "--json") == 0
    groups = {g["rule"]: g for g in json.loads(capsys.readouterr().out)}
    assert groups["rate_bound"]["replay_count"] == 40
    assert groups["wrong_type"]["discarded_count"] == 20


def test_trends_count_by_night_and_samples_show_no_value_of_a_person(settings: Settings) -> None:
    for night, broken in enumerate((2, 5)):
        rows = [group(100 * night + n) for n in range(200)]
        for row in rows[:broken]:
            row["updated_at"] = "12 March"
        land(settings, "zendesk/groups", lines(rows), FIRST + night * NIGHT)
    people = [{"id": str(n), "role": "agent", "email": f"p{n}@example.com"} for n in range(100)]
    for person in people:
        person |= {"created_at": "2025-01-01T00:00:00Z", "updated_at": "2025-01-01T00:00:00Z"}
    people[0]["created_at"] = "Ann Smith"
    land(settings, "zendesk/users", lines([*people, '{"email": "ann@example.com"']))
    load_deliveries(settings, None)
    trends = quarantine_trends(settings)
    groups = trends["zendesk/groups"]
    assert [(n.landed_count, n.quarantined_count) for n in groups.nights] == [(200, 2), (200, 5)]
    assert groups.waiting_count == 7
    assert [(s.rule, s.masked_value, s.row_count) for s in groups.samples] == [
        ("wrong_type", "99 xxxxx", 7)
    ]
    shown = repr(trends["zendesk/users"].samples)
    assert "malformed_json" in shown and "xxx xxxxx" in shown
    assert "ann" not in shown.lower().replace("malformed", "")
