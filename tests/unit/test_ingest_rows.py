"""What the loader does with rows: rules, duplicates, drift, held deliveries, the row ledger."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from ingest_home import FIRST, activity, ask, group, land, lines

from orchestration.errors import JourneylineError
from orchestration.ingest import batch
from orchestration.ingest.contracts import load_contracts
from orchestration.ingest.landing import list_deliveries
from orchestration.ingest.loader import load_deliveries
from orchestration.ingest.quarantine import list_quarantine, show_quarantine
from orchestration.settings import Settings
from orchestration.warehouse import connect

NIGHT = timedelta(days=1)
CONTENT_HEADER = "content_id,content_type,title,path,topic,stage,author,published_at,updated_at"


def content(name: str, title: str = "A title") -> str:
    return f"{name},article,{title},/a,topic,trial,Ann,,2025-01-01T00:00:00Z"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def balance(settings: Settings) -> None:
    """The row ledger as INVARIANTS says it, against the tables themselves."""
    assert (
        ask(
            settings,
            """
        select delivery_id from ingest.deliveries where landed_count
            != accepted_count + quarantined_count + duplicate_count + erased_count
        """,
        )
        == []
    )
    for source, entity, accepted, quarantined in ask(
        settings,
        "select source, entity, sum(accepted_count), sum(quarantined_count)"
        " from ingest.deliveries group by all",
    ):
        assert ask(settings, f"select count(*) from raw.{source}__{entity}") == [(accepted,)]
        assert ask(
            settings,
            "select count(*) from ingest.quarantine_rows"
            f" where source = '{source}' and entity = '{entity}'",
        ) == [(quarantined,)]


def test_an_empty_home_gives_empty_tables_for_every_contract(settings: Settings) -> None:
    report = load_deliveries(settings, None)
    assert (report.load_number, report.as_of) == (None, None)
    for contract in load_contracts(settings).values():
        assert ask(settings, f"select count(*) from {contract.table}") == [(0,)]


def test_the_first_broken_rule_names_column_and_value_and_keeps_the_payload(
    settings: Settings,
) -> None:
    broken = [
        '{"id": "cut',
        activity(1, action="opened"),
        activity(2, timestamp="yesterday"),
        activity(3, timestamp="2025-02-01T10:00:00"),
        activity(4, email_id=None, timestamp="never"),
        ["no", "object"],
    ]
    good = [activity(n) for n in range(100, 300)]
    land(settings, "mailchimp/email_activity", lines(broken + good))
    assert load_deliveries(settings, None).quarantined == 6
    found = ask(
        settings,
        "select rule, column_name, value, payload from ingest.quarantine_rows order by row_number",
    )
    assert [row[:3] for row in found] == [
        ("malformed_json", None, None),
        ("not_in_set", "action", "opened"),
        ("wrong_type", "occurred_at", "yesterday"),
        ("wrong_type", "occurred_at", "2025-02-01T10:00:00"),
        ("missing_required", "email_id", None),
        ("malformed_json", None, None),
    ]
    assert [row[3] for row in found] == lines(broken).splitlines()
    balance(settings)


def test_types_are_cast_explicitly_and_nothing_is_rounded_or_moved(settings: Settings) -> None:
    def contact(number: int, **properties: object) -> dict[str, object]:
        at = "2025-01-01T01:30:00.123+02:00"
        return {"id": str(number), "createdAt": at, "updatedAt": at, "properties": properties}

    records = [
        contact(1, budget="1234.50", date_of_birth="1980-02-29", email=""),
        contact(2, budget="NaN"),
        contact(3, date_of_birth="1981-02-29"),
        *[contact(n) for n in range(10, 60)],
    ]
    land(settings, "hubspot/contacts", lines(records))
    call = {"id": "1", "createdAt": "2025-01-01T00:00:00Z", "updatedAt": "2025-01-01T00:00:00Z"}
    times = {"hs_timestamp": "2025-01-01T00:00:00Z"}
    calls = [{**call, "properties": {**times, "hs_call_duration": d}} for d in ("12.7", "12", 13.0)]
    land(settings, "hubspot/calls", lines(calls))
    load_deliveries(settings, None)
    assert ask(
        settings,
        "select budget::text, birth_date, email, updated_at from raw.hubspot__contacts"
        " where contact_id = '1'",
    ) == [("1234.5000", date(1980, 2, 29), None, datetime(2024, 12, 31, 23, 30, 0, 123000))]
    assert ask(settings, "select duration_milliseconds from raw.hubspot__calls order by 1") == [
        (12,),
        (13,),
    ]
    assert ask(settings, "select value from ingest.quarantine_rows order by 1") == [
        ("12.7",),
        ("1981-02-29",),
        ("NaN",),
    ]


def test_records_keep_every_version_and_events_are_taken_once(settings: Settings) -> None:
    versions = [
        group(1),
        group(1),
        group(1, name="Other"),
        group(1, updated_at="2025-01-03T00:00:00Z"),
    ]
    land(settings, "zendesk/groups", lines(versions))
    clicks = [activity(1), activity(1), activity(1, action="click", url="/a"), activity(2)]
    land(settings, "mailchimp/email_activity", lines(clicks))
    report = load_deliveries(settings, None)
    assert (report.accepted, report.duplicates) == (6, 2)
    land(settings, "zendesk/groups", lines([group(1), group(2)]), FIRST + 400 * NIGHT)
    land(
        settings, "mailchimp/email_activity", lines([*clicks[2:], activity(3)]), FIRST + 400 * NIGHT
    )
    report = load_deliveries(settings, None)
    assert (report.load_number, report.accepted, report.duplicates) == (2, 2, 3)
    balance(settings)


def test_segment_events_that_share_a_message_id_are_all_kept(settings: Settings) -> None:
    shared = {"messageId": "m1", "originalTimestamp": "2025-01-01T00:00:00Z", "userId": "u1"}
    events = [
        {**shared, "type": "identify", "traits": {"email": "a@example.com"}},
        {**shared, "type": "track", "event": "Trial Started"},
        {**shared, "type": "track", "event": "Signed Up", "properties": {"plan": "pro"}},
    ]
    land(settings, "segment/events", lines(events), suffix=".ndjson.gz")
    assert load_deliveries(settings, None).accepted == 3
    assert ask(
        settings, "select properties from raw.segment__events where event = 'Signed Up'"
    ) == [('{"plan":"pro"}',)]


def test_the_earliest_delivery_keeps_a_doubled_row(settings: Settings) -> None:
    later = land(
        settings, "mailchimp/email_activity", lines([activity(2), activity(1)]), FIRST + NIGHT
    )
    first = land(settings, "mailchimp/email_activity", lines([activity(1)]), FIRST)
    load_deliveries(settings, None)
    assert ask(
        settings,
        "select email_id, _delivery_id, _row_number from raw.mailchimp__email_activity order by 1",
    ) == [("e1", first, 1), ("e2", later, 1)]


def test_csv_records_span_lines_and_a_broken_one_costs_no_other(settings: Settings) -> None:
    rows = [
        content("c1", '"Quoted, ""well"",\nover two lines"'),
        content("c2", '"never closed'),
        content("c3"),
        "c4,too,few",
        *[content(f"d{n}") for n in range(200)],
        content("c5", '"closed"x'),
    ]
    land(settings, "cms/contents", "\n".join([CONTENT_HEADER, *rows]) + "\n", suffix=".csv")
    report = load_deliveries(settings, None)
    assert (report.accepted, report.quarantined) == (202, 3)
    assert ask(settings, "select title from raw.cms__contents where content_id = 'c1'") == [
        ('Quoted, "well",\nover two lines',)
    ]
    payloads = "select rule, payload from ingest.quarantine_rows order by row_number"
    assert ask(settings, payloads) == [("malformed_csv", rows[n]) for n in (1, 3, 204)]
    balance(settings)


def test_reordered_and_added_csv_columns_are_read_by_name_and_recorded(settings: Settings) -> None:
    header = "colour," + ",".join(reversed(CONTENT_HEADER.split(",")))
    row = "red," + ",".join(reversed(content("c1").split(",")))
    wrong = row.replace("2025-01-01T00:00:00Z", "soon")
    land(settings, "cms/contents", f"{header}\n{row}\n{wrong}\n", suffix=".csv.gz")
    load_deliveries(settings, None)
    assert ask(settings, "select content_id, author from raw.cms__contents") == [("c1", "Ann")]
    assert ask(settings, "select column_name, change from ingest.drift") == [("colour", "added")]
    assert ask(settings, "select payload from ingest.quarantine_rows") == [(wrong,)]


def test_json_drift_is_recorded_once_when_it_begins_and_once_when_it_ends(
    settings: Settings,
) -> None:
    def night(number: int, **extra: object) -> None:
        rows = [activity(1000 * number + n, **extra) for n in range(250)]
        if number == 2:
            rows = [{k: v for k, v in row.items() if k != "type"} for row in rows]
        land(settings, "mailchimp/email_activity", lines(rows), FIRST + number * NIGHT)

    for number, extra in enumerate([{}, {"ip": "1"}, {"ip": "1"}, {}]):
        night(number, **extra)
    load_deliveries(settings, FIRST.date() + NIGHT)
    load_deliveries(settings, None)
    assert ask(
        settings, "select received_at, column_name, change from ingest.drift order by all"
    ) == [
        (FIRST + NIGHT, "ip", "added"),
        (FIRST + 2 * NIGHT, "type", "removed"),
        (FIRST + 3 * NIGHT, "ip", "removed"),
        (FIRST + 3 * NIGHT, "type", "returned"),
    ]


@pytest.mark.parametrize(
    ("broken", "rows", "is_held"), [(5, 100, False), (6, 100, True), (9, 20, False)]
)
def test_a_delivery_past_its_bound_is_held_and_later_nights_go_on(
    settings: Settings, broken: int, rows: int, is_held: bool
) -> None:
    night = [
        group(n, updated_at="soon" if n < broken else "2025-01-01T00:00:00Z") for n in range(rows)
    ]
    land(settings, "zendesk/groups", lines(night), FIRST)
    land(settings, "zendesk/groups", lines([group(99)]), FIRST + NIGHT)
    report = load_deliveries(settings, None)
    assert report.held_sources == (["zendesk"] if is_held else [])
    assert report.quarantined == (rows if is_held else broken)
    rules = dict(ask(settings, "select rule, count(*) from ingest.quarantine_rows group by 1"))
    assert rules.get("rate_bound", 0) == (rows - broken if is_held else 0)
    payloads = ask(settings, "select payload from ingest.quarantine_rows order by row_number")
    kept = night if is_held else night[:broken]
    assert [json.loads(payload) for (payload,) in payloads] == kept
    statuses = ask(settings, "select status from ingest.deliveries order by received_at")
    assert statuses == [("held" if is_held else "loaded",), ("loaded",)]
    balance(settings)


def test_a_file_without_a_required_column_is_held(settings: Settings) -> None:
    header = CONTENT_HEADER.replace("updated_at", "changed_at")
    rows = [content(f"c{n}") for n in range(30)]
    land(settings, "cms/contents", "\n".join([header, *rows]) + "\n", suffix=".csv")
    report = load_deliveries(settings, None)
    assert (report.held_sources, report.quarantined) == (["cms"], 30)
    assert ask(settings, "select distinct rule, column_name from ingest.quarantine_rows") == [
        ("missing_required", "updated_at")
    ]
    assert ask(settings, "select column_name, change from ingest.drift order by 1") == [
        ("changed_at", "added"),
        ("updated_at", "renamed"),
    ]


def test_as_of_is_midnight_after_the_night_and_never_goes_back(settings: Settings) -> None:
    for number in range(3):
        land(settings, "zendesk/groups", lines([group(number)]), FIRST + number * NIGHT)
    midnight = datetime.combine(FIRST.date(), datetime.min.time())
    assert load_deliveries(settings, FIRST.date() + NIGHT).as_of == midnight + 2 * NIGHT
    assert ask(settings, "select count(*) from raw.zendesk__groups") == [(2,)]
    assert load_deliveries(settings, FIRST.date()).as_of == midnight + 2 * NIGHT
    assert load_deliveries(settings, None).as_of == midnight + 3 * NIGHT
    assert ask(settings, "select * from pipeline.clock") == [
        (midnight + 3 * NIGHT, FIRST.date() + 2 * NIGHT)
    ]


def test_the_same_content_is_landed_once_and_a_copy_from_elsewhere_is_duplicates(
    settings: Settings,
) -> None:
    content = lines([group(1), group(2)])
    first = land(settings, "zendesk/groups", content)
    assert land(settings, "zendesk/groups", content, FIRST + NIGHT) == first
    (delivery,) = list_deliveries(settings)
    copy = delivery.folder.with_name(f"2025-03-09T020000Z-{delivery.sha256[:8]}")
    copy.mkdir()
    manifest = json.loads((delivery.folder / "manifest.json").read_text())
    manifest |= {"delivery_id": copy.name, "received_at": "2025-03-09T02:00:00Z"}
    (copy / "manifest.json").write_text(json.dumps(manifest))
    (copy / delivery.file_name).write_bytes(delivery.file.read_bytes())
    report = load_deliveries(settings, None)
    assert (report.deliveries, report.accepted, report.duplicates) == (2, 2, 2)


def test_a_load_that_fails_leaves_nothing_behind(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(settings, "mailchimp/email_activity", lines([activity(1)]))
    land(settings, "zendesk/groups", lines([group(1)]))
    with monkeypatch.context() as patch:
        patch.setattr(batch, "append_quarantine", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            load_deliveries(settings, None)
    assert ask(settings, "select count(*) from raw.mailchimp__email_activity") == [(0,)]
    assert ask(settings, "select count(*) from ingest.deliveries") == [(0,)]
    assert not (settings.home / ".loading").exists()
    assert load_deliveries(settings, None).load_number == 1


def test_loads_beside_another_connection_leave_it_no_batch(settings: Settings) -> None:
    """Connections of one process share what is attached."""
    settings.home.mkdir()
    with closing(connect(settings.warehouse)) as other:
        for night in range(2):
            at = FIRST + night * NIGHT
            land(settings, "zendesk/groups", lines([group(night), group(night)]), at)
            land(settings, "mailchimp/email_activity", lines([activity(night)]), at)
            assert load_deliveries(settings, None).accepted == 2
            attached = other.execute(
                "select database_name from duckdb_databases() where not internal"
            ).fetchall()
            assert attached == [("warehouse",)]


def test_a_load_that_spills_keeps_every_row_in_its_order(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More rows than DuckDB may hold, in two files that two threads read."""
    monkeypatch.setenv("JOURNEYLINE_MEMORY_LIMIT", "100MB")
    rows = [group(n, name=f"{n} {'long name ' * 30}") for n in range(150_000)]
    land(settings, "zendesk/groups", lines(rows[:100_000]))
    land(settings, "zendesk/groups", lines(rows[100_000:]), FIRST + NIGHT)
    assert load_deliveries(settings, None).accepted == len(rows)
    assert ask(
        settings,
        """
        select _received_at, count(*), count_if(
            split_part(name, ' ', 1)::bigint = _row_number - 1
            + if(_received_at > (select min(_received_at) from raw.zendesk__groups), 100000, 0)
        )
        from raw.zendesk__groups group by 1 order by 1
        """,
    ) == [(FIRST, 100_000, 100_000), (FIRST + NIGHT, 50_000, 50_000)]


def test_a_load_whose_rows_do_not_add_up_is_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(settings, "zendesk/groups", lines([group(1), group(2), "{"]))
    monkeypatch.setattr(batch, "append_quarantine", lambda *_: None)
    with pytest.raises(JourneylineError, match="does not balance: 3 rows landed, 2 were accepted"):
        load_deliveries(settings, None)


def test_quarantine_is_listed_and_shown_and_is_empty_without_a_warehouse(
    settings: Settings,
) -> None:
    assert list_quarantine(settings) == []
    land(settings, "zendesk/groups", lines([group(1), "{", "{{"]))
    land(settings, "mailchimp/email_activity", lines([activity(1, action="x")]))
    load_deliveries(settings, None)
    listed = [(g.source, g.entity, g.rule, g.row_count) for g in list_quarantine(settings)]
    assert listed == [
        ("mailchimp", "email_activity", "not_in_set", 1),
        ("zendesk", "groups", "malformed_json", 2),
    ]
    assert [g.source for g in list_quarantine(settings, "zendesk")] == ["zendesk"]
    shown = show_quarantine(settings, "zendesk/groups")
    assert [row.payload for row in shown] == ["{", "{{"]
    assert show_quarantine(settings, shown[1].quarantine_id) == [shown[1]]
    with pytest.raises(JourneylineError):
        show_quarantine(settings, "nobody")


def test_a_delivery_without_any_row_is_loaded_and_says_so(settings: Settings) -> None:
    """It was read as /dev/null, which DuckDB takes for no file at all."""
    land(settings, "zendesk/groups", "")
    report = load_deliveries(settings, None)
    assert (report.deliveries, report.accepted, report.refused) == (1, 0, [])
