"""The demo company's mess: each kind has the planted rate, seen in what has landed."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest
from demo_rows import assert_within_error, csv_of, landed, rows_of, share

from orchestration.demo.company import build_company
from orchestration.demo.parameters import Mess
from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.settings import Settings

# What the company promises to be by default, at least.
DEFAULTS = {
    "several_emails": 0.15,
    "typos": 0.05,
    "nicknames": 0.05,
    "shared_devices": 0.06,
    "households": 0.08,
    "shared_inboxes": 0.01,
    "recycled_phones": 0.01,
    "role_mailboxes": 0.02,
    "vendor_duplicates": 0.03,
    "late_rows": 0.03,
    "clock_skew": 0.03,
    "broken_rows": 0.003,
    "anonymous_events": 0.5,
}


@pytest.mark.parametrize(
    ("column", "low", "high"),
    [
        ("has_several_emails", 0.15, 0.18),
        ("shares_device", 0.06, 0.075),
        ("in_household", 0.08, 0.10),
        ("shares_inbox", 0.01, 0.02),
        ("has_recycled_phone", 0.01, 0.02),
        ("has_fuzzy_record", 0.10, 0.14),
    ],
)
def test_difficulties_of_persons_have_the_planted_rates(
    truth: duckdb.DuckDBPyConnection, column: str, low: float, high: float
) -> None:
    assert low <= share(truth, f"select avg({column}::integer) from persons") <= high


@pytest.mark.parametrize("difficulty", ["typo", "nickname"])
def test_five_records_in_a_hundred_have_a_typo_and_as_many_a_nickname(
    truth: duckdb.DuckDBPyConnection, difficulty: str
) -> None:
    query = f"select avg(list_contains(difficulties, '{difficulty}')::integer) from records"
    assert 0.045 <= share(truth, query) <= 0.065


def test_rows_of_the_app_are_anonymous_skewed_late_broken_and_repeated(
    home: Path, truth: duckdb.DuckDBPyConnection
) -> None:
    events = rows_of(home, "segment", "events")
    calls = [e for e in events if e.get("type") in ("track", "page", "screen")]
    anonymous = sum(call["userId"] is None for call in calls) / len(calls)
    assert 0.46 <= anonymous <= 0.54
    skewed = sum(e["sentAt"] != e["receivedAt"] for e in events) / len(events)
    assert 0.025 <= skewed <= 0.04
    ids = [event["messageId"] for event in events if event["messageId"]]
    assert 0.003 <= 1 - len(set(ids)) / len(ids) <= 0.02
    broken = share(truth, "select count(*) from broken where source = 'segment'")
    assert 0.003 <= broken / len(events) <= 0.006


def test_the_drift_night_brings_a_new_column_and_the_missing_night_no_support_rows(
    home: Path,
) -> None:
    members = rows_of(home, "mailchimp", "members")
    assert any("sms_phone_number" in member for member in members)
    nights = {
        path.name[:10] for path in (home / "landing" / "zendesk").glob("*/*") if path.is_dir()
    }
    assert "2025-07-18" not in nights
    assert "2025-07-19" in nights


def test_devices_and_inboxes_that_are_shared_have_two_persons_who_used_them(
    home: Path, truth: duckdb.DuckDBPyConnection
) -> None:
    persons = share(truth, "select count(*) from persons")
    accounts: dict[str, set[str]] = {}
    for call in rows_of(home, "segment", "events"):
        if call["type"] == "identify" and call["userId"]:
            accounts.setdefault(call["anonymousId"], set()).add(call["userId"])
    sharing = {user for users in accounts.values() if len(users) > 1 for user in users}
    assert 0.06 <= len(sharing) / persons <= 0.075
    found = share(
        truth,
        f"""
        with addresses as (
            select respondent_id as record_id, lower(email) as email
            from {csv_of(home, "surveys", "respondents")}
            union all
            select json_extract_string(line, '$.id'), lower(json_extract_string(line, '$.email'))
            from {lines_of(home, "zendesk", "users")}
        ),
        owned as (
            select distinct person_id, email from addresses join records using (record_id)
            where email not like 'info@%'
        )
        select count(distinct person_id) from owned
        where email in (select email from owned group by all having count(*) > 1)
        """,
    )
    assert 0.01 <= found / persons <= 0.02


def test_recycled_phones_stand_on_records_of_both_owners(
    home: Path, truth: duckdb.DuckDBPyConnection
) -> None:
    persons = share(truth, "select count(*) from persons")
    found = share(
        truth,
        f"""
        with numbers as (
            select json_extract_string(line, '$.id') as record_id,
                json_extract_string(line, '$.properties.phone') as phone
            from {lines_of(home, "hubspot", "contacts")}
            union all
            select json_extract_string(line, '$.id'), json_extract_string(line, '$.phone')
            from {lines_of(home, "zendesk", "users")}
            union all
            select json_extract_string(line, '$.unique_email_id'),
                json_extract_string(line, '$.merge_fields.PHONE')
            from {lines_of(home, "mailchimp", "members")}
            union all
            select respondent_id, phone from {csv_of(home, "surveys", "respondents")}
        ),
        owned as (
            select distinct person_id, phone, has_recycled_phone
            from numbers join records using (record_id) join persons using (person_id)
            where phone is not null
        )
        select count(distinct person_id) from owned
        where has_recycled_phone
            and phone in (select phone from owned group by all having count(*) > 1)
        """,
    )
    assert 0.0085 <= found / persons <= 0.02


def test_companies_share_role_mailboxes_and_contacts_are_there_twice(
    home: Path, truth: duckdb.DuckDBPyConnection
) -> None:
    mailboxes = share(
        truth,
        f"""select count(distinct json_extract_string(line, '$.email'))
        from {lines_of(home, "zendesk", "users")}
        where json_extract_string(line, '$.email') like 'info@%'""",
    )
    companies = share(
        truth, f"select count(distinct domain) from {csv_of(home, 'hubspot', 'companies')}"
    )
    assert 0.02 <= mailboxes / companies <= 0.05
    duplicates = """select avg(list_contains(difficulties, 'vendor_duplicate')::integer)
        from records where entity = 'contacts'"""
    assert 0.03 <= share(truth, duplicates) <= 0.04


def test_vendors_merge_and_delete(home: Path) -> None:
    contacts = rows_of(home, "hubspot", "contacts")
    merged = {c["properties"]["hs_merged_object_ids"] for c in contacts} - {None}
    archived = {contact["id"] for contact in contacts if contact["archived"]}
    assert len(merged) >= 5
    assert len(archived - merged) >= 5, "some are deleted without a merge"
    companies = duckdb.sql(
        f"""select count(*) filter (where merged_company_ids is not null),
            count(*) filter (where is_archived = 'true')
        from {csv_of(home, "hubspot", "companies")}"""
    ).fetchone()
    assert companies is not None
    assert companies[0] >= 1
    assert companies[1] >= 1


def test_rows_come_late_and_out_of_order(home: Path) -> None:
    late = nightly = unordered = rows = 0
    first = datetime.fromisoformat("2025-07-16T00:00:00+00:00")
    for folder in sorted((home / "landing/segment/events").iterdir()):
        night = datetime.fromisoformat(f"{folder.name[:10]}T00:00:00+00:00")
        calls = rows_of_folder(folder)
        times = [at for at in calls if at is not None]
        unordered += sum(a > b for a, b in pairwise(times))
        rows += len(times)
        if night >= first:
            late += sum((night - at).days >= 1 for at in times)
            nightly += len(times)
    # The first nights lack the late rows of the days before: those came with the history.
    # Rows that are delivered twice come a night late as well.
    planted = Mess().late_rows + Mess().duplicate_rows
    assert_within_error(late, nightly, planted)
    assert unordered / rows >= 0.05


def rows_of_folder(folder: Path) -> list[datetime | None]:
    """The times of one delivery's events, in the order they lie in."""
    home, source, entity = folder.parents[3], folder.parent.parent.name, folder.parent.name
    times: list[datetime | None] = []
    for call in rows_of(home, source, entity, only=folder.name):
        try:
            times.append(datetime.fromisoformat(call["timestamp"]))
        except (TypeError, ValueError):
            times.append(None)
    return times


def lines_of(home: Path, source: str, entity: str) -> str:
    """SQL that reads the lines of an NDJSON entity that are JSON."""
    return (
        f"(select line from read_csv('{home}/landing/{source}/{entity}/*/*.ndjson', "
        "columns = {line: 'varchar'}, delim = '\x01', quote = '', escape = '', header = false) "
        "where json_valid(line))"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("typoes: 0.1", "'typoes' is not one of"),
        ("typos: often", "typos is not a number"),
        ("typos: true", "typos is not a number"),
        ("typos: 0.6", "typos is not between 0 and 0.5"),
        ("typos: -0.1", "typos is not between 0 and 0.5"),
        ("drift_night: 1.5", "drift_night is not a night"),
        ("missing_night: 0", "missing_night is not a night"),
        ("- typos", "it is not a mapping"),
        ("typos: [", "it cannot be read"),
        (None, "it cannot be read"),
    ],
)
def test_a_mess_file_that_is_wrong_is_refused_and_says_where(
    tmp_path: Path, text: str | None, said: str
) -> None:
    mess = tmp_path / "mess.yml"
    if text is not None:
        mess.write_text(text, encoding="utf-8")
    with pytest.raises(JourneylineError) as caught:
        build_company(Settings(home=tmp_path / "home"), mess_file=mess)
    assert said in str(caught.value)
    assert caught.value.exit_code == EXIT_USAGE
    assert caught.value.where == str(mess)
    assert not (tmp_path / "home").exists()


def test_too_few_customers_or_nights_are_refused(tmp_path: Path) -> None:
    for arguments in ({"customers": 199}, {"nights": 0}):
        with pytest.raises(JourneylineError) as caught:
            build_company(Settings(home=tmp_path), **arguments)
        assert caught.value.exit_code == EXIT_USAGE


def test_each_kind_of_mess_has_a_stream_of_its_own(tmp_path: Path) -> None:
    """Another rate of one kind leaves the bytes alone of what that kind does not reach."""

    def company(name: str, mess: str) -> dict[str, bytes]:
        path = tmp_path / f"{name}.yml"
        path.write_text(mess, encoding="utf-8")
        build_company(Settings(home=tmp_path / name), customers=200, nights=1, mess_file=path)
        return landed(tmp_path / name)

    usual = company("usual", "{}")
    for kind, mess, reached in (
        ("skew", "clock_skew: 0.2", {"segment/events"}),
        ("typos", "typos: 0.4", {
            "segment/events", "hubspot/contacts", "mailchimp/members", "zendesk/users",
            "surveys/respondents",
        }),
        ("roles", "role_mailboxes: 0.4", {"zendesk/users"}),
    ):  # fmt: skip
        other = company(kind, mess)
        changed = {
            "/".join(path.split("/")[:2])
            for path in usual.keys() | other.keys()
            if usual.get(path) != other.get(path)
        }
        assert changed == reached, kind


def test_the_truth_records_the_rate_of_each_kind(truth: duckdb.DuckDBPyConnection) -> None:
    assert dict(truth.execute("select kind, rate from mess").fetchall()) == asdict(Mess())
    assert all(
        share(truth, f"select rate from mess where kind = '{kind}'") >= least
        for kind, least in DEFAULTS.items()
    )
