"""A contract whose drift policy is `stop` holds what looks different, and only that."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from ingest_home import FIRST, activity, ask, group, land, lines

from orchestration.ingest.loader import load_deliveries
from orchestration.settings import REPO_ROOT, Settings

NIGHT = timedelta(days=1)


@pytest.fixture
def strict(tmp_path: Path) -> Settings:
    """A home whose project stops at any drift."""
    root = tmp_path / "project"
    for part in ("orchestration/config", "data_contracts"):
        shutil.copytree(REPO_ROOT / part, root / part)
    for path in (root / "data_contracts" / "sources").glob("*.odcs.yaml"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("value: evolve", "value: stop"), encoding="utf-8")
    return Settings(home=tmp_path / "home", repo_root=root)


def statuses(settings: Settings) -> list[tuple]:
    return ask(settings, "select status, reason from ingest.deliveries order by received_at")


def test_a_new_column_holds_each_delivery_that_has_it_with_all_its_rows(strict: Settings) -> None:
    nights = [[group(1)], [group(2), group(3, colour="red")], [group(4, colour="red")], [group(5)]]
    for number, rows in enumerate(nights):
        land(strict, "zendesk/groups", lines(rows), FIRST + number * NIGHT)
    report = load_deliveries(strict, None)
    said = "its columns differ from the contract, whose drift policy is stop: colour added"
    assert statuses(strict) == [("loaded", None), ("held", said), ("held", said), ("loaded", None)]
    assert report.held_sources == ["zendesk"]
    assert (report.accepted, report.quarantined) == (2, 3)
    assert ask(strict, "select group_id from raw.zendesk__groups order by 1") == [("1",), ("5",)]
    payloads = ask(strict, "select rule, payload from ingest.quarantine_rows order by received_at")
    assert [json.loads(payload)["id"] for _, payload in payloads] == ["2", "3", "4"]
    assert {rule for rule, _ in payloads} == {"drift"}


def test_a_column_that_is_gone_holds_where_there_are_rows_enough_to_tell(strict: Settings) -> None:
    for number, count in enumerate((199, 200)):
        rows = [activity(1000 * number + n) for n in range(count)]
        without = [{key: value for key, value in row.items() if key != "url"} for row in rows]
        land(strict, "mailchimp/email_activity", lines(without), FIRST + number * NIGHT)
    load_deliveries(strict, None)
    assert [status for status, _ in statuses(strict)] == ["loaded", "held"]


def test_the_same_delivery_goes_on_where_the_policy_is_to_evolve(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    land(settings, "zendesk/groups", lines([group(1, colour="red")]), FIRST)
    assert load_deliveries(settings, None).held_sources == []
    assert statuses(settings) == [("loaded", None)]
    assert ask(settings, "select column_name, change from ingest.drift") == [("colour", "added")]
