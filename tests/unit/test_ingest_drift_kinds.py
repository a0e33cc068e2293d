"""Every kind of drift under every policy: what is recorded, and what becomes of the rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from ingest_home import FIRST, activity, ask, land, lines, project

from orchestration.cli.main import _run
from orchestration.ingest.loader import load_deliveries
from orchestration.settings import Settings

NIGHT = timedelta(days=1)
TABLE = "mailchimp/email_activity"
ROWS = 240
Row = dict[str, object]


def rows(night: int) -> list[Row]:
    return [
        activity(1000 * night + n, url=f"https://example.com/{n % 9}", list_id=f"l{n % 3}")
        for n in range(ROWS)
    ]


def without(row: Row, *keys: str) -> Row:
    return {key: value for key, value in row.items() if key not in keys}


def renamed(row: Row, old: str, new: str) -> Row:
    return {new if key == old else key: value for key, value in row.items()}


# What the second night looks like, what is recorded of it, and how many of its rows are taken
# under `evolve` and under `quarantine`; `stop` takes none.
KINDS: dict[str, tuple[Callable[[list[Row]], list[Row]], list[tuple[str, str]], int, int]] = {
    "added": (
        lambda r: [{**row, "ip": "1"} if n < 7 else row for n, row in enumerate(r)],
        [("ip", "added")],
        ROWS,
        ROWS - 7,
    ),
    "removed": (lambda r: [without(row, "type") for row in r], [("type", "removed")], ROWS, 0),
    "renamed": (
        lambda r: [renamed(row, "url", "link_url") for row in r],
        [("link_url", "added"), ("url", "renamed")],
        0,
        0,
    ),
    "renamed to another word": (
        lambda r: [renamed(row, "list_id", "audience") for row in r],
        [("audience", "added"), ("list_id", "renamed")],
        0,
        0,
    ),
    "recased": (
        lambda r: [renamed(row, "list_id", "listId") for row in r],
        [("listId", "added"), ("list_id", "recased")],
        0,
        0,
    ),
    "recased in some rows": (
        lambda r: [renamed(row, "url", "URL") if n < 7 else row for n, row in enumerate(r)],
        [("URL", "added"), ("url", "recased")],
        ROWS - 7,
        ROWS - 7,
    ),
    "retyped": (
        lambda r: [{**row, "timestamp": "1 Feb"} if n > 90 else row for n, row in enumerate(r)],
        [("occurred_at", "retyped")],
        91,
        91,
    ),
    "enum growth": (
        lambda r: [{**row, "action": "view"} if n < 7 else row for n, row in enumerate(r)],
        [("action", "enum_grew")],
        ROWS - 7,
        ROWS - 7,
    ),
    "became an object": (
        lambda r: [{**row, "url": {"href": row["url"]}} for row in r],
        [("url", "became_object")],
        ROWS,
        0,
    ),
    "nothing": (lambda r: r, [], ROWS, ROWS),
}


def drift(settings: Settings) -> list[tuple]:
    return ask(settings, "select column_name, change from ingest.drift order by all")


@pytest.mark.parametrize("policy", ["evolve", "quarantine", "stop"])
@pytest.mark.parametrize("kind", list(KINDS))
def test_a_change_is_recorded_and_no_value_is_lost_without_a_word(
    tmp_path: Path, kind: str, policy: str
) -> None:
    change, recorded, evolving, quarantining = KINDS[kind]
    settings = project(tmp_path, TABLE, driftPolicy=policy, rateBound=1.0)
    land(settings, TABLE, lines(rows(0)), FIRST)
    land(settings, TABLE, lines(change(rows(1))), FIRST + NIGHT)
    land(settings, TABLE, lines(rows(2)), FIRST + 2 * NIGHT)
    load_deliveries(settings, FIRST.date())
    load_deliveries(settings, None)
    # On the third night what had gone is back, and what had come is gone.
    back = {"added": "removed", "removed": "returned", "renamed": "returned"}
    back["recased"] = "returned" if kind == "recased" else "-"
    after = [(key, back[change]) for key, change in recorded if change in back]
    assert drift(settings) == sorted([*recorded, *(record for record in after if record[1] != "-")])
    taken = {"evolve": evolving, "quarantine": quarantining, "stop": 0 if recorded else ROWS}[
        policy
    ]
    assert ask(
        settings,
        "select status, accepted_count, quarantined_count from ingest.deliveries"
        " order by received_at",
    ) == [
        ("loaded", ROWS, 0),
        ("held" if policy == "stop" and recorded else "loaded", taken, ROWS - taken),
        ("loaded", ROWS, 0),
    ]
    if policy == "quarantine":
        rules = {rule for (rule,) in ask(settings, "select rule from ingest.quarantine_rows")}
        assert rules <= {"wrong_type", "not_in_set"} | {f"drift_{c}" for _, c in recorded}


def test_only_changes_are_recorded(tmp_path: Path) -> None:
    for kind, (change, recorded, _, _) in KINDS.items():
        settings = project(tmp_path / kind, TABLE, rateBound=1.0)
        land(settings, TABLE, lines(rows(0)), FIRST)
        land(settings, TABLE, lines(change(rows(1))), FIRST + NIGHT)
        land(settings, TABLE, lines(change(rows(2))), FIRST + 2 * NIGHT)
        load_deliveries(settings, None)
        assert drift(settings) == sorted(recorded), kind


def ticket(number: int, **changes: object) -> Row:
    at = "2025-01-01T00:00:00Z"
    return {
        "id": number,
        "created_at": at,
        "updated_at": at,
        "status": "open",
        "via": {"channel": "email"},
        **changes,
    }


@pytest.mark.parametrize("policy", ["evolve", "quarantine", "stop"])
def test_an_object_that_is_none_any_more_costs_no_value_in_silence(
    tmp_path: Path, policy: str
) -> None:
    settings = project(tmp_path, "zendesk/tickets", driftPolicy=policy, rateBound=1.0)
    plain = [ticket(n) for n in range(5)]
    land(settings, "zendesk/tickets", lines([*plain, ticket(5, via="web"), ticket(6, via=None)]))
    load_deliveries(settings, None)
    assert ("via", "flattened") in drift(settings)
    expected = {"evolve": 6, "quarantine": 6, "stop": 0}[policy]
    assert ask(settings, "select count(*) from raw.zendesk__tickets") == [(expected,)]
    if policy != "stop":
        assert ask(settings, "select rule, column_name from ingest.quarantine_rows") == [
            ("drift_flattened", "via")
        ]


CONTENTS = "content_id,content_type,title,path,topic,stage,author,published_at,updated_at"


def contents(header: str, first: int) -> str:
    names = header.split(",")
    rows = []
    for n in range(first, first + 30):
        values = dict.fromkeys(CONTENTS.split(","), f"text {n}")
        values |= {"content_id": f"c{n}", "content_type": "article", "stage": "trial"}
        values |= {"published_at": "", "updated_at": "2025-01-01T00:00:00Z"}
        rows.append(",".join(values.get(name, values.get(name.lower(), "x")) for name in names))
    return "\n".join([header, *rows]) + "\n"


@pytest.mark.parametrize(
    ("header", "recorded", "evolving", "quarantining"),
    [
        (",".join(reversed(CONTENTS.split(","))), "reordered", 30, 30),
        (CONTENTS.replace("title", "TITLE"), "recased", 0, 0),
        (CONTENTS.replace(",topic", ""), "removed", 30, 0),
        (CONTENTS + ",colour", "added", 30, 0),
    ],
)
@pytest.mark.parametrize("policy", ["evolve", "quarantine", "stop"])
def test_a_changed_header(
    tmp_path: Path, header: str, recorded: str, evolving: int, quarantining: int, policy: str
) -> None:
    settings = project(tmp_path, "cms/contents", driftPolicy=policy, rateBound=1.0)
    land(settings, "cms/contents", contents(CONTENTS, 0), FIRST, suffix=".csv")
    land(settings, "cms/contents", contents(header, 100), FIRST + NIGHT, suffix=".csv")
    load_deliveries(settings, None)
    assert recorded in {change for _, change in drift(settings)}
    taken = {"evolve": evolving, "quarantine": quarantining, "stop": 0}[policy]
    assert ask(settings, "select count(*) from raw.cms__contents") == [(30 + taken,)]


def test_an_alias_in_the_contract_heals_a_renamed_column(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = project(tmp_path, TABLE)
    land(settings, TABLE, lines(rows(0)), FIRST)
    land(settings, TABLE, lines([renamed(r, "url", "link_url") for r in rows(1)]), FIRST + NIGHT)
    load_deliveries(settings, None)
    assert _run(["--home", str(settings.home), "sources", "drift", "--json"]) == 0
    told = {r["column_name"]: r for r in json.loads(capsys.readouterr().out)}
    assert "now link_url" in told["url"]["detail"] and "aliases of url" in told["url"]["detail"]
    path = settings.contracts / "sources" / "mailchimp.email_activity.odcs.yaml"
    document: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    for column in document["schema"][0]["properties"]:
        if column["name"] == "url":
            column["customProperties"] = [{"property": "aliases", "value": ["link_url"]}]
    path.write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")
    load_deliveries(settings, None)
    assert ask(settings, "select count(url), count(*) from raw.mailchimp__email_activity") == [
        (2 * ROWS, 2 * ROWS)
    ]
    assert drift(settings) == []
