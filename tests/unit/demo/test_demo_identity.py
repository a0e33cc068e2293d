"""How the demo company's records can be joined: by mail, by exact rules, by fuzzy evidence."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from demo_rows import csv_of, rows_of


@pytest.fixture(scope="module")
def known(home: Path, truth: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The truth with the table known: what each landed record says about its person."""
    create_attributes(home, truth)
    return truth


def test_exact_mail_finds_less_than_all_rules_and_rules_are_precise(
    known: duckdb.DuckDBPyConnection,
) -> None:
    truth = known
    mail_recall, _ = pairwise(truth, "same_mail")
    recall, precision = pairwise(truth, "same_mail or listed_mail or same_phone or same_account")
    assert mail_recall <= 0.85
    assert recall >= 0.82
    assert precision >= 0.99


def test_a_tenth_of_the_persons_have_a_record_that_no_exact_evidence_joins(
    home: Path, known: duckdb.DuckDBPyConnection
) -> None:
    pairs = known.execute(
        f"""
        select distinct a.person_id, a.record_key, b.record_key as other_key
        from known as a join known as b
            on a.person_id = b.person_id and a.record_key <> b.record_key and (
                a.mail = b.mail or a.extra = b.mail or b.extra = a.mail or a.extra = b.extra
                or a.phone = b.phone or a.account = b.account
                or (a.name = b.name and a.domain = b.domain and a.domain in (
                    select domain from {csv_of(home, "hubspot", "companies")}
                ))
            )
        """
    ).fetchall()
    root: dict[str, str] = {}

    def find(key: str) -> str:
        while root.get(key, key) != key:
            key = root[key]
        return key

    for _, key, other in pairs:
        root[find(key)] = find(other)
    parts: dict[str, set[str]] = {}
    for person, key in known.execute("select distinct person_id, record_key from known").fetchall():
        parts.setdefault(person, set()).add(find(key))
    apart = {person for person, roots in parts.items() if len(roots) > 1}
    fuzzy = {
        person
        for (person,) in known.execute(
            "select distinct person_id from persons where has_fuzzy_record"
        ).fetchall()
    }
    assert len(fuzzy & apart) / len(parts) >= 0.10
    assert len(fuzzy - apart) <= 0.05 * len(fuzzy)


def test_no_key_links_the_sources_but_those_that_vendors_share(
    known: duckdb.DuckDBPyConnection,
) -> None:
    """Ids of two sources never look alike: not equal, and no order or distance in common."""
    ids = {
        source: dict(rows)
        for source in ("hubspot", "mailchimp", "segment", "surveys", "zendesk")
        if (
            rows := known.execute(
                """select person_id, min(record_id) from records where source = ?
                and not list_contains(difficulties, 'vendor_duplicate') group by all""",
                [source],
            ).fetchall()
        )
    }
    assert len(ids) == 5
    for one, those in ids.items():
        for other, these in ids.items():
            if one < other:
                persons = sorted(those.keys() & these.keys())
                assert not {those[p] for p in persons} & {these[p] for p in persons}
                ranks = [
                    {p: n for n, p in enumerate(sorted(persons, key=lambda p: part[p]))}
                    for part in (those, these)
                ]
                n = len(persons)
                distance = sum((ranks[0][p] - ranks[1][p]) ** 2 for p in persons)
                correlation = 1 - 6 * distance / (n * (n * n - 1))
                assert abs(correlation) < 0.2, (one, other)


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
        from {csv_of(home, "surveys", "respondents")} where respondent_id is not null"""
    )
    truth.execute(
        """create or replace table known as
        select distinct attributes.*, split_part(mail, '@', 2) as domain, person_id
        from attributes join records
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
