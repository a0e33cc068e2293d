"""Tables that Fivetran and Airbyte landed: from files, from PostgreSQL, and real ones."""

from __future__ import annotations

import csv
from datetime import timedelta
from pathlib import Path

import pytest
from adbc_driver_postgresql import dbapi
from elt_tables import SYNCED, loaded, loaded_real, project, raw, write
from fetch_home import NIGHT, fetch, landed_records
from postgres_server import running_server

from orchestration.connectors.run import check_tables
from orchestration.errors import JourneylineError
from orchestration.ingest.loader import load_deliveries

USER = {
    "id": "1",
    "_fivetran_synced": SYNCED,
    "_fivetran_deleted": "FALSE",
    "active": "TRUE",
    "name": 'A "B"\n, C',
    "role": "end-user",
    "details": '{"a": [1, "x, y"]}',
    "created_at": "2020-02-26 22:55:12",
    "updated_at": "2020-02-26 22:55:12",
}
LEDGER = """select entity, landed_count, accepted_count, quarantined_count, duplicate_count
    from ingest.deliveries order by entity"""
CHANGE = {"_fivetran_synced": SYNCED, "ticket_id": "7", "field_name": "status", "user_id": ""}


def test_a_row_keeps_its_columns_and_gains_what_the_contract_reads(tmp_path: Path) -> None:
    gone = {**USER, "id": "2", "_fivetran_deleted": "TRUE"}
    write(tmp_path / "tables", "user", [USER, gone])
    settings = project(tmp_path, "users")
    assert fetch(settings, "zendesk/users").records == 2
    first, second = landed_records(settings)
    assert (first["name"], first["details"]) == (USER["name"], USER["details"])
    assert (first["created_at"], first["active"]) == ("2020-02-26T22:55:12Z", True)
    assert second["active"] is False
    # Its own time is that of the version before it was deleted.
    assert second["updated_at"] == "2020-03-05T05:03:34.208Z"
    assert load_deliveries(settings, None).accepted == 2


def test_a_row_that_the_tool_marks_as_deleted_is_the_newest_version_of_its_record(
    tmp_path: Path,
) -> None:
    live = {**USER, "via_channel": "web", "status": "open"}
    tables = tmp_path / "tables"
    write(tables, "ticket", [live])
    settings = project(tmp_path, "tickets")
    fetch(settings, "zendesk/tickets")
    gone = {**live, "_fivetran_deleted": "TRUE", "_fivetran_synced": "2020-03-09 05:03:34.208"}
    write(tables, "ticket", [gone])
    fetch(settings, "zendesk/tickets", NIGHT + timedelta(days=1))
    load_deliveries(settings, None)
    newest = "select status, updated_at::text from raw.zendesk__tickets order by updated_at desc"
    assert raw(settings, newest)[0] == ("deleted", "2020-03-09 05:03:34.208")


def test_a_member_that_the_tool_marks_as_deleted_is_archived(tmp_path: Path) -> None:
    member = {
        "id": "m1",
        "list_id": "a",
        "unique_email_id": "u1",
        "email_address": "x@example.org",
        "status": "subscribed",
        "timestamp_signup": "2020-03-01 10:00:00",
        "last_changed": "2020-03-02 10:00:00",
        "_fivetran_synced": SYNCED,
        "_fivetran_deleted": "TRUE",
    }
    settings = loaded(tmp_path, "mailchimp/members", member=[member])
    found = raw(settings, "select status, last_changed_at::text from raw.mailchimp__members")
    assert found == [("archived", "2020-03-05 05:03:34.208")]


def test_only_what_the_tool_wrote_since_is_taken_with_the_overlap(tmp_path: Path) -> None:
    write(tmp_path / "tables", "user", [USER])
    settings = project(tmp_path, "users")
    fetch(settings, "zendesk/users")
    late = {**USER, "id": "2", "_fivetran_synced": "2020-03-05 04:50:00"}
    early = {**USER, "id": "3", "_fivetran_synced": "2020-03-05 04:40:00"}
    new = {**USER, "id": "4", "_fivetran_synced": "2020-03-06 04:40:00"}
    write(tmp_path / "tables", "user", [USER, late, early, new])
    fetch(settings, "zendesk/users", NIGHT + timedelta(days=1))
    assert [record["id"] for record in landed_records(settings)] == ["1", "2", "1", "4"]


def test_a_field_s_history_says_what_was_before_and_a_repeated_row_counts_once(
    tmp_path: Path,
) -> None:
    opened = {**CHANGE, "updated": "2020-08-28 11:01:27", "value": "open"}
    solved = {**CHANGE, "updated": "2020-08-29 11:01:27", "value": "solved"}
    changes = [solved, opened, solved, solved]
    settings = loaded(tmp_path, "zendesk/ticket_events", ticket_field_history=changes)
    assert raw(settings, LEDGER) == [("ticket_events", 4, 2, 0, 2)]
    query = """select event_type, previous_value, value, created_at::text
        from raw.zendesk__ticket_events order by created_at"""
    assert raw(settings, query) == [
        ("Create", None, "open", "2020-08-28 11:01:27"),
        ("Change", "open", "solved", "2020-08-29 11:01:27"),
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("id,active\n1,TRUE,x\n", "3 fields instead of 2"),
        ('id,active\n1,"TRUE\n', "unexpected end of data"),
        (None, "The table user is not there"),
    ],
)
def test_a_broken_or_missing_table_is_named(tmp_path: Path, content: str | None, said: str) -> None:
    (tmp_path / "tables").mkdir()
    if content is not None:
        (tmp_path / "tables" / "user.csv").write_text(content)
    with pytest.raises(JourneylineError, match=said):
        fetch(project(tmp_path, "users"), "zendesk/users")


def test_the_same_tables_in_postgresql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_server() as url:
        monkeypatch.setenv("LAKE_URL", url)
        with dbapi.connect(url) as connection, connection.cursor() as cursor:
            for statement in (
                "create schema desk",
                """create table desk.ticket as select 7::bigint as id, 'solved' as status,
                    'web' as via_channel, false as _fivetran_deleted,
                    timestamptz '2020-03-05 05:03+00' as _fivetran_synced,
                    timestamptz '2020-02-05 05:03+00' as created_at,
                    timestamptz '2020-02-06 05:03+00' as updated_at""",
                """create table desk.ticket_tag as select 7::bigint as ticket_id, tag,
                    timestamptz '2020-03-05 05:03+00' as _fivetran_synced
                    from unnest(array['b', 'a']) as t (tag)""",
            ):
                cursor.execute(statement)
            connection.commit()
        settings = project(tmp_path, "tickets", "groups", url_from="LAKE_URL", schema_name="desk")
        ready, missing = check_tables(settings, [], lambda line: None)
        assert (ready.says, missing.state) == ("answers; 1 row(s)", "unreachable")
        fetch(settings, "zendesk/tickets")
    (record,) = landed_records(settings)
    assert (record["tags"], record["via"]) == (["a", "b"], {"channel": "web"})
    assert load_deliveries(settings, None).accepted == 1


def test_every_row_of_real_tables_is_accounted_for(tmp_path: Path, shared_data: Path) -> None:
    folder = shared_data / "landed" / "zendesk"
    tables = {
        "users": ("user", 10),
        "tickets": ("ticket", 10),
        "comments": ("ticket_comment", 20),
        "ticket_events": ("ticket_field_history", 38),
        "groups": ("group", 8),
    }
    settings = loaded_real(tmp_path, shared_data, "zendesk", *tables)
    for name, count in tables.values():
        with (folder / f"{name}_data.csv").open(encoding="utf-8-sig", newline="") as file:
            assert len(list(csv.DictReader(file))) == count
    assert raw(settings, LEDGER) == [
        ("comments", 20, 20, 0, 0),
        ("groups", 8, 8, 0, 0),
        ("ticket_events", 38, 35, 0, 3),
        ("tickets", 10, 10, 0, 0),
        ("users", 10, 10, 0, 0),
    ]
    deleted = "select count(*) from raw.zendesk__tickets where status = 'deleted'"
    assert raw(settings, deleted) == [(2,)]


def test_every_row_of_real_e_mail_tables_is_accounted_for(
    tmp_path: Path, shared_data: Path
) -> None:
    tables = ("members", "campaigns", "email_activity")
    settings = loaded_real(tmp_path, shared_data, "mailchimp", *tables, file_name="{table}.csv")
    # One campaign and two e-mails of automations; 17 and 8 actions, 10 recipients, 1 who left.
    assert raw(settings, LEDGER) == [
        ("campaigns", 3, 3, 0, 0),
        ("email_activity", 36, 36, 0, 0),
        ("members", 9, 9, 0, 0),
    ]
    # Four of the addresses are no members any more: they were sent four mails and opened one.
    known = "select count(unique_email_id), count(*) from raw.mailchimp__email_activity"
    assert raw(settings, known) == [(31, 36)]


@pytest.mark.parametrize(
    ("vendor", "file_name", "expected"),
    [
        (
            "hubspot",
            "{table}_data.csv",
            [
                ("calls", 1, 1, 0, 0),
                ("companies", 24, 24, 0, 0),
                ("contacts", 22, 22, 0, 0),
                ("deals", 44, 44, 0, 0),
                ("email_events", 100, 100, 0, 0),
                ("meetings", 100, 100, 0, 0),
                ("owners", 100, 100, 0, 0),
                ("tickets", 25, 25, 0, 0),
            ],
        ),
        (
            "salesforce",
            "sf_{table}_data.csv",
            [
                ("accounts", 10, 10, 0, 0),
                ("contacts", 4, 4, 0, 0),
                ("opportunities", 10, 10, 0, 0),
            ],
        ),
        (
            "intercom",
            "{table}_data.csv",
            [
                ("contacts", 9, 9, 0, 0),
                ("conversation_parts", 9, 9, 0, 0),
                ("conversations", 9, 9, 0, 0),
            ],
        ),
        ("klaviyo", "{table}.csv", [("email_events", 4, 4, 0, 0), ("members", 2, 2, 0, 0)]),
        ("qualtrics", "{table}.csv", [("responses", 5, 5, 0, 0)]),
    ],
)
def test_every_row_of_real_tables_of_more_vendors_is_accounted_for(
    tmp_path: Path, shared_data: Path, vendor: str, file_name: str, expected: list[tuple]
) -> None:
    entities = [entity for entity, *_ in expected]
    settings = loaded_real(tmp_path, shared_data, vendor, *entities, file_name=file_name)
    assert raw(settings, LEDGER) == expected


def test_real_deletions_and_merges_of_hubspot_and_salesforce_are_read(
    tmp_path: Path, shared_data: Path
) -> None:
    tables = ("contacts", "email_events")
    settings = loaded_real(tmp_path / "h", shared_data, "hubspot", *tables)
    merged = """select contact_id, merged_contact_ids from raw.hubspot__contacts
        where merged_contact_ids is not null order by 1 limit 1"""
    assert raw(settings, merged) == [("78971951", "76340251;46897301;76226001")]
    opened = "select action, count(*) from raw.hubspot__email_events group by all order by all"
    assert sum(count for _, count in raw(settings, opened)) == 100
    history = "sf_{table}_history_data.csv"
    settings = loaded_real(tmp_path / "s", shared_data, "salesforce", "accounts", file_name=history)
    gone = "select is_archived, count(*) from raw.salesforce__accounts group by all order by all"
    assert raw(settings, gone) == [(False, 1), (True, 9)]


def test_a_contact_of_intercom_without_an_active_version_was_deleted_when_its_last_one_ended(
    tmp_path: Path,
) -> None:
    first = {
        "id": "c1",
        "role": "user",
        "email": "x@example.org",
        "created_at": "2020-03-01 10:00:00",
        "updated_at": "2020-03-02 10:00:00",
        "_fivetran_synced": SYNCED,
        "_fivetran_active": "false",
        "_fivetran_end": "2020-03-03 09:59:59",
    }
    second = {**first, "updated_at": "2020-03-03 10:00:00", "_fivetran_end": "2020-03-04 10:00:00"}
    kept = {**first, "id": "c2", "_fivetran_active": "true", "_fivetran_end": "9999-12-31 23:59:59"}
    settings = loaded(tmp_path, "intercom/contacts", contact_history=[first, second, kept])
    query = """select user_id, is_active, updated_at::text from raw.intercom__contacts
        order by user_id, updated_at"""
    assert raw(settings, query) == [
        ("c1", True, "2020-03-02 10:00:00"),
        ("c1", True, "2020-03-03 10:00:00"),
        ("c1", False, "2020-03-04 10:00:00"),
        ("c2", True, "2020-03-02 10:00:00"),
    ]


AIRBYTE = {"_airbyte_raw_id": "r1", "_airbyte_extracted_at": "2020-03-05 05:03:34.208+00"}


def test_airbyte_s_rows_are_what_the_api_answered(tmp_path: Path) -> None:
    ticket = {
        **AIRBYTE,
        "id": "35436",
        "status": "open",
        "via": '{"channel":"web","source":{"from":{}}}',
        "tags": '["b","a"]',
        "subject": "[urgent] help",
        "requester_id": "20978392",
        "created_at": "2009-07-20T22:55:29Z",
        "updated_at": "2011-05-05T10:38:52Z",
    }
    gone = {**ticket, "id": "35437", "status": "deleted"}
    settings = loaded(tmp_path, "zendesk/tickets", tool="airbyte", tickets=[ticket, gone])
    first = landed_records(settings)[0]
    assert (first["via"]["channel"], first["tags"]) == ("web", ["b", "a"])
    assert not any(name.startswith("_airbyte") for name in first)
    found = "select ticket_id, channel, subject, status from raw.zendesk__tickets order by 1"
    assert raw(settings, found) == [
        ("35436", "web", "[urgent] help", "open"),
        ("35437", "web", "[urgent] help", "deleted"),
    ]


def test_airbyte_s_hubspot_and_salesforce_load_by_the_same_mapping(tmp_path: Path) -> None:
    contact = {
        **AIRBYTE,
        "id": "101",
        "archived": "false",
        "createdAt": "2020-03-01T10:00:00.000Z",
        "updatedAt": "2020-03-02T10:00:00.000Z",
        "properties": '{"email":"x@example.org","hs_merged_object_ids":"7;8"}',
    }
    settings = loaded(tmp_path / "h", "hubspot/contacts", tool="airbyte", contacts=[contact])
    found = "select contact_id, email, merged_contact_ids, is_archived from raw.hubspot__contacts"
    assert raw(settings, found) == [("101", "x@example.org", "7;8", False)]
    case = {
        **AIRBYTE,
        "Id": "500A",
        "ContactId": "003A",
        "Status": "New",
        "IsDeleted": "true",
        "CreatedDate": "2020-03-01T10:00:00.000+00:00",
        "SystemModstamp": "2020-03-02T10:00:00.000+00:00",
    }
    settings = loaded(tmp_path / "s", "salesforce/cases", tool="airbyte", Case=[case])
    found = "select ticket_id, requester_id, is_deleted from raw.salesforce__cases"
    assert raw(settings, found) == [("500A", "003A", True)]


def test_a_table_that_the_tool_has_no_mapping_for_is_named(tmp_path: Path) -> None:
    settings = project(tmp_path, "members", vendor="mailchimp", tool="airbyte")
    with pytest.raises(JourneylineError, match="mailchimp of airbyte has no table members"):
        fetch(settings, "mailchimp/members")


def test_only_a_question_of_the_kind_nps_gives_an_answer_of_qualtrics_a_score(
    tmp_path: Path,
) -> None:
    answer = {
        "id": "R1",
        "survey_id": "S1",
        "recipient_email": "x@example.org",
        "finished": "1",
        "recorded_date": "2020-03-04 10:00:00.000000",
        "_fivetran_synced": SYNCED,
    }
    # The same question id in another survey is another question.
    kinds = [("Q1", "S1", "NPS"), ("Q2", "S1", "SAVR"), ("Q2", "S2", "NPS")]
    said = [("R1", "Q1", "9"), ("R1", "Q2", "1"), ("R2", "Q2", "2")]
    settings = loaded(
        tmp_path,
        "qualtrics/responses",
        survey_response=[answer, {**answer, "id": "R2", "finished": "0"}],
        question=[{"id": q, "survey_id": s, "selector": k} for q, s, k in kinds],
        question_response=[{"response_id": r, "question_id": q, "value": v} for r, q, v in said],
    )
    query = (
        "select response_id, survey, score, is_finished from raw.qualtrics__responses order by 1"
    )
    assert raw(settings, query) == [("R1", "nps", 9, True), ("R2", None, None, False)]
