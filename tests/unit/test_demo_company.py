"""The demo company: equal bytes, planted rates, and a truth that follows the rules it states."""

from __future__ import annotations

import gzip
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from orchestration.demo.company import build_company, deliver_next_night, is_demo_home
from orchestration.demo.parameters import DemoParameters, Mess
from orchestration.errors import JourneylineError
from orchestration.settings import Settings

CUSTOMERS = 2000


def landed(home: Path) -> dict[str, bytes]:
    """Every landed byte by path."""
    landing = home / "landing"
    return {
        str(path.relative_to(landing)): path.read_bytes()
        for path in sorted(landing.rglob("*"))
        if path.is_file()
    }


def rows_of(home: Path, source: str, entity: str) -> list[dict[str, Any]]:
    """All records of an NDJSON entity that can be read."""
    rows = []
    for path in sorted((home / "landing" / source / entity).glob(f"*/{entity}.ndjson*")):
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
        for line in text.splitlines():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                continue
    return rows


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "home"
    build_company(Settings(home=folder), customers=CUSTOMERS, nights=20)
    return folder


@pytest.fixture(scope="module")
def truth(home: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    for path in (home / "truth").glob("*.parquet"):
        connection.execute(f"create view {path.stem} as select * from '{path}'")
    return connection


def share(connection: duckdb.DuckDBPyConnection, query: str) -> float:
    row = connection.execute(query).fetchone()
    assert row is not None
    return float(row[0])


def test_equal_seeds_give_equal_bytes_and_later_nights_leave_earlier_ones_alone(
    tmp_path: Path,
) -> None:
    once, grown = Settings(home=tmp_path / "once"), Settings(home=tmp_path / "grown")
    build_company(once, customers=200, nights=3)
    build_company(grown, customers=200, nights=1)
    first = landed(grown.home)
    assert deliver_next_night(grown) == date(2025, 7, 3)
    report = build_company(grown, customers=200, nights=3)
    assert report.last_night == date(2025, 7, 4)
    assert first.items() <= landed(grown.home).items()
    assert landed(grown.home) == landed(once.home)
    for path in once.truth.glob("*.parquet"):
        assert path.read_bytes() == (grown.truth / path.name).read_bytes(), path.name


def test_a_home_keeps_its_company(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with pytest.raises(JourneylineError, match="no demo company"):
        deliver_next_night(settings)
    build_company(settings, customers=200, nights=1, seed=3)
    assert is_demo_home(settings)
    assert build_company(settings, customers=200, nights=1, seed=3).deliveries_added == 0
    with pytest.raises(JourneylineError, match="another demo company"):
        build_company(settings, customers=200, nights=1, seed=4)


def test_arguments_that_make_no_company_are_refused(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    mess = tmp_path / "mess.yml"
    mess.write_text("typoes: 0.1\n")
    for arguments in ({"customers": 199}, {"nights": 0}, {"mess_file": mess}):
        with pytest.raises(JourneylineError) as caught:
            build_company(settings, **arguments)  # type: ignore[arg-type]
        assert caught.value.exit_code == 2


def test_history_comes_in_the_first_night_and_every_manifest_counts_its_rows(home: Path) -> None:
    manifests = [json.loads(p.read_text()) for p in (home / "landing").glob("*/*/*/manifest.json")]
    nights = sorted({manifest["received_at"][:10] for manifest in manifests})
    assert nights == [str(date(2025, 7, 1) + timedelta(days=n)) for n in range(21)]
    for manifest in manifests:
        (file,) = manifest["files"]
        folder = home / "landing" / manifest["source"] / manifest["entity"]
        raw = (folder / manifest["delivery_id"] / file["name"]).read_bytes()
        text = gzip.decompress(raw) if file["name"].endswith(".gz") else raw
        header = 1 if ".csv" in file["name"] else 0
        assert len(text.splitlines()) - header == file["rows"]
        assert manifest["received_at"].endswith("T02:00:00Z")


@pytest.mark.parametrize(
    ("column", "low", "high"),
    [
        ("has_several_emails", 0.15, 0.18),
        ("shares_device", 0.06, 0.075),
        ("in_household", 0.07, 0.11),
        ("shares_inbox", 0.01, 0.015),
        ("has_recycled_phone", 0.01, 0.015),
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
    assert 0.42 <= anonymous <= 0.58
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


def test_exact_mail_finds_less_than_all_rules_and_rules_are_precise(
    home: Path, truth: duckdb.DuckDBPyConnection
) -> None:
    create_attributes(home, truth)
    mail_recall, _ = pairwise(truth, "same_mail")
    recall, precision = pairwise(truth, "same_mail or listed_mail or same_phone or same_account")
    assert mail_recall <= 0.85
    assert recall >= 0.82
    assert precision >= 0.99


def create_attributes(home: Path, truth: duckdb.DuckDBPyConnection) -> None:
    """The table attributes: what each landed record says about its person."""
    truth.execute(
        """create or replace table attributes (record_key varchar, mail varchar, extra varchar,
        name varchar, phone varchar, account varchar)"""
    )
    found: dict[str, list[str | None]] = {}
    for row in rows_of(home, "hubspot", "contacts"):
        p = row["properties"]
        if row["id"]:
            found[f"hubspot/contacts/{row['id']}"] = [
                p["email"], p["hs_additional_emails"], f"{p['firstname']} {p['lastname']}",
                p["phone"], p["app_user_id"],
            ]  # fmt: skip
    for row in rows_of(home, "mailchimp", "members"):
        f = row["merge_fields"]
        found[f"mailchimp/members/{row['unique_email_id']}"] = [
            row["email_address"], None, f"{f['FNAME']} {f['LNAME']}", f["PHONE"], None,
        ]  # fmt: skip
    for row in rows_of(home, "segment", "events"):
        if row["type"] == "identify":
            t = row["traits"]
            found[f"segment/users/{row['userId']}"] = [
                t["email"], None, f"{t['first_name']} {t['last_name']}", t["phone"], row["userId"],
            ]  # fmt: skip
    for row in rows_of(home, "zendesk", "users"):
        found[f"zendesk/users/{row['id']}"] = [
            row["email"], None, row["name"], row["phone"], row["external_id"],
        ]  # fmt: skip
    names = ["key", "mail", "extra", "name", "phone", "account"]
    columns = zip(*([key, *values] for key, values in found.items()), strict=True)
    truth.register("found", pa.table(dict(zip(names, map(list, columns), strict=True))))
    truth.execute(
        """insert into attributes
        select key, lower(mail), lower(extra), lower(name), phone, account from found"""
    )
    truth.execute(
        f"""insert into attributes
        select 'surveys/respondents/' || respondent_id, lower(email), null, lower(name), phone, null
        from read_csv('{home}/landing/surveys/respondents/*/*.csv', all_varchar = true)
        where respondent_id is not null"""
    )
    truth.execute(
        """create or replace table known as
        select distinct attributes.*, person_id from attributes join records
            on record_key = source || '/' || entity || '/' || record_id"""
    )


def pairwise(truth: duckdb.DuckDBPyConnection, condition: str) -> tuple[float, float]:
    """Recall and precision of one rule over pairs of records (role mailboxes left out)."""
    ways = ["a.person_id = b.person_id", "a.mail = b.mail", "a.phone = b.phone",
        "a.extra = b.mail", "a.account = b.account"]  # fmt: skip
    candidates = "candidates as (" + " union ".join(
        f"""select least(a.record_key, b.record_key) as l, greatest(a.record_key, b.record_key) as r
        from known as a join known as b on {way} and a.record_key <> b.record_key"""
        for way in ways
    ) + ")"  # fmt: skip
    row = truth.execute(
        f"""with {candidates},
        pairs as (
            select l, r, a.person_id = b.person_id as is_same,
                coalesce(a.mail = b.mail and a.mail not like 'info@%', false) as same_mail,
                coalesce(a.extra = b.mail or b.extra = a.mail, false) as listed_mail,
                coalesce(a.phone = b.phone and a.name = b.name, false) as same_phone,
                coalesce(a.account = b.account, false) as same_account
            from candidates
            join known as a on a.record_key = l join known as b on b.record_key = r
        )
        select
            count(distinct l || r) filter (where is_same and ({condition}))
                / count(distinct l || r) filter (where is_same),
            count(distinct l || r) filter (where is_same and ({condition}))
                / count(distinct l || r) filter (where {condition})
        from pairs"""
    ).fetchone()
    assert row is not None
    return float(row[0]), float(row[1])


def test_planted_stages_are_what_the_rules_give_on_the_landed_events(
    home: Path, truth: duckdb.DuckDBPyConnection
) -> None:
    owner = dict(
        truth.execute(
            "select record_id, person_id from records where source = 'segment'"
        ).fetchall()
    )
    as_of = date(2025, 7, 22).isoformat()
    times: dict[str, dict[str, set[str]]] = {}
    for event in rows_of(home, "segment", "events"):
        if event["type"] == "track" and event["userId"] in owner and event["messageId"]:
            if event["originalTimestamp"] == "soon":
                continue
            person = times.setdefault(owner[event["userId"]], {})
            person.setdefault(event["event"], set()).add(event["timestamp"])
    expected = {
        (person, stage, at)
        for person, names in times.items()
        for stage, at in stages_of(names, as_of)
    }
    found = set(
        truth.execute(
            """select person_id, stage, strftime(entered_at, '%Y-%m-%dT%H:%M:%S.%gZ')
            from stage_visits"""
        ).fetchall()
    )
    assert found == expected
    assert len({stage for _, stage, _ in found}) == 4


def stages_of(names: dict[str, set[str]], as_of: str) -> list[tuple[str, str]]:
    """The stages that `trial_to_paid` gives to one person's events (ISO texts sort as times)."""
    if "Trial Started" not in names:
        return []
    start = min(names["Trial Started"])
    day = date.fromisoformat(start[:10]) + timedelta(days=30)
    deadline = day.isoformat() + start[10:]

    def later(name: str, nth: int) -> str | None:
        after = sorted(at for at in names.get(name, ()) if at >= start)
        return after[nth - 1] if len(after) >= nth and after[nth - 1] < deadline else None

    paid = later("Subscription Started", 1)
    steps = [
        ("trial", start),
        ("activated", later("Feature Used", 3)),
        ("checkout", later("Checkout Started", 1)),
        ("paid", paid),
    ]
    return [(s, at) for s, at in steps if at is not None and (paid is None or at <= paid)]


def test_every_event_of_the_truth_was_landed_and_none_twice(
    home: Path, truth: duckdb.DuckDBPyConnection
) -> None:
    ids = {
        f"{e['messageId']}|{e['type']}|{e['event'] or e['name'] or ''}"
        for e in rows_of(home, "segment", "events")
        if e["type"] in ("track", "page", "screen") and e["messageId"]
    }
    planted = [
        row[0]
        for row in truth.execute("select event_id from events where source = 'segment'").fetchall()
    ]
    assert len(planted) == len(set(planted))
    assert set(planted) == ids


def test_poor_experiences_raise_churn_and_the_bug_lowers_conversion(
    truth: duckdb.DuckDBPyConnection,
) -> None:
    query = """select (select count(distinct r.person_id) from reasons as r
            where r.had_poor_experience = {poor}) / count(distinct s.person_id)
        from stage_visits as s join persons using (person_id)
        where stage = 'paid' and persons.had_poor_experience = {poor}"""
    assert share(truth, query.format(poor=True)) > 1.4 * share(truth, query.format(poor=False))
    friction = truth.execute(
        "select rate, usual_rate from frictions where friction = 'checkout_bug'"
    ).fetchone()
    assert friction is not None and friction[0] > 5 * friction[1]


@pytest.mark.parametrize("seed", [1, 2])
def test_every_seed_makes_a_company_from_200_customers_and_one_night(
    tmp_path: Path, seed: int
) -> None:
    report = build_company(Settings(home=tmp_path), customers=200, nights=1, seed=seed)
    assert report.truth_rows["persons"] >= 195
    assert report.truth_rows["stage_visits"] > 100


def test_people_who_arrived_in_the_history_are_as_many_as_asked() -> None:
    parameters = DemoParameters(seed=1, customers=5000, start=date(2024, 1, 1), mess=Mess())
    cohorts = parameters.cohorts(date(2025, 8, 15))
    assert sum(persons for *_, persons in cohorts[:18]) == 5000
    assert [persons for *_, persons in cohorts[18:]] == [100, 100]
