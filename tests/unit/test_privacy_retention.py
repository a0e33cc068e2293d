"""Rows that are too old leave the landing, are counted, and are never taken again."""

from __future__ import annotations

import gzip
import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from ingest_home import FIRST, activity, ask, group, land, lines, project

from orchestration.cli.main import main
from orchestration.errors import JourneylineError
from orchestration.ingest.acts import append_acts, read_acts
from orchestration.ingest.contracts import load_contracts
from orchestration.ingest.derived import derive_files
from orchestration.ingest.landing import list_deliveries
from orchestration.ingest.loader import load_deliveries
from orchestration.pipeline import state, steps
from orchestration.privacy import screening
from orchestration.privacy.handles import Retention
from orchestration.privacy.retention import (
    RetentionAct,
    age_columns,
    is_due,
    kept_days,
    read_retention_acts,
)
from orchestration.settings import REPO_ROOT, Settings

TABLE = "mailchimp/email_activity"
NIGHT = timedelta(days=1)
OLD, NEW = "2024-12-31T23:59:59Z", "2025-01-01T00:00:00Z"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An empty home under a project of two tables; 1 January is 60 days before its first as-of."""
    project(tmp_path, "zendesk/groups")
    name = "mailchimp.email_activity.odcs.yaml"
    contracts = tmp_path / "project" / "data_contracts" / "sources"
    shutil.copy(REPO_ROOT / "data_contracts" / "sources" / name, contracts)
    settings = project(tmp_path, TABLE, feeds=None)
    macros = settings.dbt_project / "macros" / "feeds.sql"
    macros.parent.mkdir(parents=True)
    macros.write_text(derive_files(settings)[macros])
    return settings


def keep(settings: Settings, every: str = "month", **days: int) -> None:
    path = settings.config / "privacy.yml"
    text = path.read_text().split("\nretention:")[0]
    said = {"every": every, "days": {name.replace("__", "/"): n for name, n in days.items()}}
    path.write_text(f"{text}\nretention: {json.dumps(said)}\n")


def mixed(extra: tuple[str, ...] = ()) -> str:
    """Two old events, two new ones, an old one twice, and a row without a time."""
    old = [activity(n, timestamp=OLD) for n in (1, 2)]
    new = [activity(n, timestamp=NEW) for n in (3, 4)]
    return lines([old[0], new[0], old[1], old[0], new[1], activity(5, timestamp="never"), *extra])


def counts(settings: Settings) -> list[tuple[object, ...]]:
    found = ask(
        settings,
        "select landed_count, accepted_count, quarantined_count, duplicate_count, erased_count, "
        "aged_count, reason from ingest.deliveries order by received_at, delivery_id",
    )
    assert all(row[0] == row[1] + row[2] + row[3] + row[4] for row in found)
    return found


def test_old_rows_go_at_the_as_of_of_a_run_and_the_ledger_balances_throughout(
    settings: Settings,
) -> None:
    land(settings, TABLE, mixed())
    steps.load(settings, None)
    assert state.current_as_of(settings) == FIRST.replace(hour=0) + NIGHT
    assert counts(settings) == [(6, 4, 1, 1, 0, 0, None)]
    keep(settings, mailchimp__email_activity=60)
    steps.load(settings, None)
    aged = [(6, 2, 1, 0, 3, 3, "retention")]
    assert counts(settings) == aged
    assert ask(settings, "select min(occurred_at) from raw.mailchimp__email_activity") == [
        (datetime(2025, 1, 1),)
    ]
    (act,) = read_retention_acts(settings)
    assert (act.at, act.horizon) == (FIRST.replace(hour=0) + NIGHT, datetime(2025, 1, 1))
    assert (act.erased_rows, act.deliveries, len(act.keys)) == (3, 1, 2)
    (delivery,) = list_deliveries(settings)
    assert OLD not in delivery.file.read_text() and NEW in delivery.file.read_text()
    # Nothing of a row but the hash of its key stays.
    kept = "".join(p.read_text() for p in settings.landing.rglob("*") if p.is_file())
    assert "p1@example.com" not in kept and "p3@example.com" in kept
    steps.delete_derived(settings)
    steps.load(settings, None)
    assert counts(settings) == aged
    assert len(read_retention_acts(settings)) == 1


def test_a_row_that_went_is_never_taken_again(settings: Settings) -> None:
    land(settings, TABLE, mixed())
    keep(settings, mailchimp__email_activity=60)
    steps.load(settings, None)
    taken = ask(settings, "select * from raw.mailchimp__email_activity order by all")
    again = [json.dumps(json.loads(line), sort_keys=True) for line in mixed().splitlines()[:5]]
    land(settings, TABLE, lines(list(again)), FIRST + NIGHT)
    steps.load(settings, None)
    assert counts(settings)[1] == (5, 0, 0, 2, 3, 3, "retention")
    # Not even when rows are kept for ever from now on.
    keep(settings)
    land(settings, TABLE, lines([activity(1, timestamp=OLD), *again]), FIRST + 2 * NIGHT)
    land(settings, TABLE, lines([activity(9, timestamp=OLD)]), FIRST + 2 * NIGHT)
    steps.load(settings, None)
    assert sorted(row[:5] for row in counts(settings)[2:]) == [(1, 1, 0, 0, 0), (6, 0, 0, 2, 4)]
    found = ask(settings, "select * from raw.mailchimp__email_activity order by all")
    assert [row for row in found if "e9" not in row] == taken
    assert len(found) == len(taken) + 1


def test_what_comes_late_and_is_too_old_goes_before_it_is_loaded(settings: Settings) -> None:
    land(settings, TABLE, mixed())
    keep(settings, mailchimp__email_activity=60)
    steps.load(settings, None)
    late = [activity(7, timestamp=OLD), activity(8, timestamp=NEW)]
    land(settings, TABLE, lines(late), FIRST + NIGHT)
    steps.load(settings, None)
    assert counts(settings)[1] == (2, 1, 0, 0, 1, 1, "retention")
    first, second = read_retention_acts(settings)
    assert (second.at, second.horizon) == (first.at, first.horizon)
    assert len(second.keys) == 1


def test_a_new_version_of_a_record_that_went_is_taken(settings: Settings) -> None:
    land(settings, "zendesk/groups", lines([group(1), group(2, updated_at=NEW)]))
    keep(settings, zendesk=60)
    steps.load(settings, None)
    # A record that has not changed for long may be in force: a source's name means its events.
    assert counts(settings) == [(2, 2, 0, 0, 0, 0, None)]
    keep(settings, zendesk__groups=59)
    steps.load(settings, None)
    assert counts(settings) == [(2, 1, 0, 0, 1, 1, "retention")]
    back = group(2, updated_at="2025-03-01T00:00:00Z")
    land(settings, "zendesk/groups", lines([group(2, updated_at=NEW), back]), FIRST + NIGHT)
    steps.load(settings, None)
    assert counts(settings)[1] == (2, 1, 0, 0, 1, 1, "retention")


def test_a_delivery_goes_whole_and_in_any_form(settings: Settings) -> None:
    content = lines([activity(n, timestamp=OLD) for n in range(3)])
    land(settings, TABLE, content, suffix=".ndjson.gz")
    broken = gzip.compress(content.encode() + b"more\n")[:-12]
    land(settings, TABLE, broken, FIRST - 100 * NIGHT, suffix=".ndjson.gz", is_packed=True)
    keep(settings, mailchimp=60)
    steps.load(settings, None)
    found = ask(
        settings,
        "select status, landed_count, erased_count from ingest.deliveries order by received_at",
    )
    assert found == [("refused", 0, 0), ("loaded", 3, 3)]
    first, second = sorted(list_deliveries(settings), key=lambda d: d.received_at)
    assert first.file.read_bytes() == b""
    assert gzip.decompress(second.file.read_bytes()) == b""


def test_acts_on_rows_follow_the_rows_that_stay(settings: Settings) -> None:
    land(settings, TABLE, mixed())
    (delivery,) = list_deliveries(settings)
    rows = [("mailchimp", "email_activity", delivery.delivery_id, n) for n in (1, 2, 5)]
    append_acts(settings, "discard", rows, FIRST)
    keep(settings, mailchimp=60)
    steps.load(settings, None)
    (act,) = read_acts(settings)
    assert act.rows[delivery.delivery_id] == ((1, 1), (2, 2))
    assert counts(settings) == [(6, 0, 3, 0, 3, 3, "retention")]


def test_a_retention_that_died_is_finished_by_the_next_run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(settings, TABLE, mixed())
    steps.load(settings, None)
    keep(settings, mailchimp=60)
    for step in ("finish_replacement", "replace_deliveries"):
        with monkeypatch.context() as patch:
            patch.setattr(screening, step, lambda *given, **named: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                steps.load(settings, None)
        assert not settings.warehouse.exists()
    assert read_retention_acts(settings) == []
    steps.prepare(settings)
    steps.load(settings, None)
    assert counts(settings) == [(6, 2, 1, 0, 3, 3, "retention")]
    assert len(read_retention_acts(settings)) == 1


def test_a_run_between_nights_takes_nothing_by_age(settings: Settings) -> None:
    land(settings, TABLE, mixed())
    keep(settings, mailchimp=60)
    steps.load(settings, None, between_nights=True)
    assert counts(settings) == [(6, 4, 1, 1, 0, 0, None)]


def test_rows_go_in_the_first_run_of_a_month_or_when_they_are_kept_for_less() -> None:
    def act(at: datetime, days: int) -> RetentionAct:
        return RetentionAct(at, "a", "b", days, at - timedelta(days=days))

    monthly, nightly = Retention(), Retention(every="night")
    march = [act(datetime(2025, 3, 2), 60)]
    assert is_due(monthly, 60, [], datetime(2025, 3, 2))
    assert not is_due(monthly, 60, march, datetime(2025, 3, 31))
    assert is_due(monthly, 60, march, datetime(2025, 4, 1))
    assert not is_due(monthly, 70, march, datetime(2025, 3, 31))
    assert is_due(monthly, 59, march, datetime(2025, 3, 2))
    assert is_due(nightly, 60, march, datetime(2025, 3, 3))
    assert not is_due(nightly, 60, march, datetime(2025, 3, 2))


def test_a_row_is_as_old_as_its_version_or_the_newest_of_its_times() -> None:
    contracts = load_contracts(Settings(home=REPO_ROOT))
    assert age_columns(contracts["zendesk", "users"]) == ("updated_at",)
    assert set(age_columns(contracts["segment", "events"])) == {
        "original_at",
        "sent_at",
        "segment_received_at",
        "event_at",
    }


@pytest.mark.parametrize(
    ("said", "where", "what"),
    [
        ('{"days": {"mailchimp/nothing": 3}}', "privacy.yml:", "no source and no table"),
        ('{"days": {"mailchimp": 0}}', "privacy.yml:", "retention.days.mailchimp"),
        ('{"every": "week"}', "privacy.yml:", "retention.every"),
    ],
)
def test_a_retention_that_cannot_be_is_refused_by_its_line(
    settings: Settings, said: str, where: str, what: str
) -> None:
    path = settings.config / "privacy.yml"
    text = path.read_text().split("\nretention:")[0]
    path.write_text(f"{text}\nretention: {said}\n")
    with pytest.raises(JourneylineError) as raised:
        kept_days(settings)
    assert raised.value.exit_code == 2
    assert where in raised.value.where and what in str(raised.value)


def test_the_command_line_tells_what_is_kept_and_what_would_go(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JOURNEYLINE_HOME", str(settings.home))
    monkeypatch.setenv("JOURNEYLINE_PROJECT", str(settings.repo_root))

    def told() -> list[dict[str, object]]:
        with pytest.raises(SystemExit, match="0"):
            main(["sources", "retention", "--json"])
        found: list[dict[str, object]] = json.loads(capsys.readouterr().out)
        return found

    land(settings, TABLE, mixed())
    load_deliveries(settings, None)
    assert told() == []
    keep(settings, mailchimp__email_activity=60)
    (before,) = told()
    assert (before["old_rows"], before["due"], before["erased_rows"]) == (2, "next run", 0)
    steps.load(settings, None)
    (after,) = told()
    assert (after["old_rows"], after["erased_rows"]) == (0, 3)
    assert after["due"] == "first run of next month"
    with pytest.raises(SystemExit, match="0"):
        main(["sources", "retention"])
    assert TABLE in capsys.readouterr().out
