"""What links two records, and what does not, by the smallest example of each."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from small_company import (
    contact,
    customers_of,
    land_respondents,
    land_rows,
    member,
    own_project,
    resolve,
    respondent,
    rows_of,
)

from orchestration.ingest.derived import sync_files
from orchestration.settings import Settings
from orchestration.unify.explain import explain

LOYALTY_COLUMN = """\
      - name: loyalty_number
        physicalName: properties.loyalty
        description: Number on the person's loyalty card.
        logicalType: string
        physicalType: text
        required: false
        classification: direct_identifier
      - name: lifecycle_stage
"""
LOYALTY_TYPE = """\
identifier_types:
  - identifier_type: loyalty_number
    normaliser: letters_and_digits
    held_by: [hubspot.contacts.loyalty_number]
"""
STREET_COLUMN = """\
      - name: street
        physicalName: properties.address
        description: Street and house number of the home.
        logicalType: string
        physicalType: text
        required: false
        classification: direct_identifier
      - name: lifecycle_stage
"""
LOYALTY_RULE = """\
rules:
  - rule: name_and_home
    combination: [first_name, last_name, street, house_number, postal_code]
    fan_out_cap: 4
    guard: none
  - {rule: loyalty_number, identifier_type: loyalty_number, fan_out_cap: 4, guard: none}
"""
KIM = {"firstname": "Kim", "lastname": "Zander"}
LOU = {"firstname": "Lou", "lastname": "Albers"}
TWINS = {"date_of_birth": "1991-05-06", "zip": "1050", "address": "Hofgasse 3", "city": "Wien"}


def replace_in(path: Path, found: str, put: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert found in text
    path.write_text(text.replace(found, put, 1), encoding="utf-8")


def add_loyalty_numbers(settings: Settings) -> None:
    """What docs/identity.md says: a column, its staging, the type, a rule; then the sync."""
    contract = settings.contracts / "sources" / "hubspot.contacts.odcs.yaml"
    replace_in(contract, "      - name: lifecycle_stage\n", LOYALTY_COLUMN)
    staging = settings.dbt_project / "models" / "staging" / "hubspot" / "stg_hubspot__contacts.sql"
    replace_in(
        staging, "        lifecycle_stage,\n", "        lifecycle_stage,\n        loyalty_number,\n"
    )
    rules = settings.config / "identity.yml"
    replace_in(rules, "identifier_types: []\n", LOYALTY_TYPE)
    replace_in(rules, "rules:\n", LOYALTY_RULE)
    written = {path.name for path in sync_files(settings)}
    assert written == {"_hubspot.yml", "feeds.sql", "own_identifiers.sql"}


def add_streets(settings: Settings) -> None:
    """A column of the vocabulary that the shipped contract does not have."""
    contract = settings.contracts / "sources" / "hubspot.contacts.odcs.yaml"
    replace_in(contract, "      - name: lifecycle_stage\n", STREET_COLUMN)
    staging = settings.dbt_project / "models" / "staging" / "hubspot" / "stg_hubspot__contacts.sql"
    replace_in(staging, "        lifecycle_stage,\n", "        lifecycle_stage,\n        street,\n")
    assert {path.name for path in sync_files(settings)} == {"_hubspot.yml", "feeds.sql"}


def decide(settings: Settings, *pairs: tuple[str, str]) -> None:
    """What people have decided: these records are one person's, and no others."""
    decisions = [
        {
            "decision": "must_link",
            "records": list(pair),
            "author": "jane",
            "reason": "same passport",
            "decided_at": "2025-07-01T00:00:00Z",
        }
        for pair in pairs
    ]
    (settings.config / "identity_decisions.yml").write_text(
        yaml.safe_dump({"decisions": decisions}), encoding="utf-8"
    )


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A few pairs of records, each alike in one respect."""
    settings = own_project(tmp_path_factory.mktemp("small"))
    add_loyalty_numbers(settings)
    add_streets(settings)
    land_rows(
        settings,
        "hubspot/contacts",
        [
            contact(1, email="Ann.Lee@gmail.com"),
            contact(2, email="bo@Müller.example"),
            contact(3, phone="(212) 555-0142", firstname="Cy", lastname="Moss"),
            contact(4, loyalty="ab-123", firstname="Di", lastname="Ross"),
            contact(5, loyalty=" AB 123", firstname="Di", lastname="Vale"),
            contact(6, loyalty="ab-124", firstname="Di", lastname="Ross"),
            contact(7, phone="+12125550177", firstname="Eve", lastname="Falk"),
            contact(8, phone="(212) 555-0177", firstname="Gus", lastname="Falk"),
            contact(9, phone="+12125550177", firstname="Hal", lastname="Other"),
            contact(10, **KIM, zip="1010", date_of_birth="1980-02-01"),
            contact(11, **KIM, zip="10 10", date_of_birth="1980-02-01"),
            contact(12, **KIM, zip="1010", date_of_birth="1980-02-03"),
            contact(13, **LOU, zip="1040", address="12b Lindengasse"),
            contact(14, **LOU, zip="1040", address="Lindengasse 12B"),
            contact(15, **LOU, zip="1040", address="Lindengasse 12"),
            contact(16, **LOU, address="Lindengasse 12b"),
            contact(17, **TWINS, firstname="Max", lastname="Rau"),
            contact(18, **TWINS, firstname="Tim", lastname="Rau"),
        ],
    )
    land_respondents(
        settings,
        [
            respondent(1, "annlee+offers@googlemail.com"),
            respondent(2, "bo@xn--mller-kva.example"),
            respondent(3, "", "Cy Moss", "+1 212 555 0142"),
            respondent(4, "ann.lee@mailbox.example"),
            respondent(5, "annlee@mailbox.example"),
        ],
    )
    land_rows(
        settings,
        "mailchimp/members",
        [
            member(1, "ida@mailbox.example", location={"country_code": "US"}),
            member(2, "ida@postbox.example", status="unsubscribed"),
            member(3, "jo@mailbox.example", location={"country_code": "DE"}),
            member(4, "jo@postbox.example", status="unsubscribed"),
        ],
    )
    decide(settings, ("mailchimp/members/m3", "mailchimp/members/m4"))
    resolve(settings, customers=True)
    return settings


def linked_by(settings: Settings, left: str, right: str) -> set[object]:
    """The rules that link two records."""
    rows = rows_of(
        settings,
        "select rule from unify.int_match_edges where dead_at is null "
        f"and left_record_key = '{min(left, right)}' and right_record_key = '{max(left, right)}'",
    )
    return {row[0] for row in rows}


def test_name_birth_date_and_postal_code_are_one_person(small: Settings) -> None:
    rule = "name_birth_date_and_postal_code"
    assert rule in linked_by(small, "hubspot/contacts/10", "hubspot/contacts/11")
    assert rule not in linked_by(small, "hubspot/contacts/10", "hubspot/contacts/12")


def test_a_combination_takes_a_street_however_it_is_written(small: Settings) -> None:
    assert "name_and_home" in linked_by(small, "hubspot/contacts/13", "hubspot/contacts/14")
    for other in (15, 16):
        assert "name_and_home" not in linked_by(
            small, "hubspot/contacts/13", f"hubspot/contacts/{other}"
        )


def test_why_shows_no_more_of_a_combination_than_initials(small: Settings) -> None:
    (link,) = explain(small, "hubspot/contacts/13", "hubspot/contacts/14").chain
    assert link.value == "l*** a*** l*** 1*** 1***"


def test_twins_share_all_but_a_name_and_wait_for_a_person(small: Settings) -> None:
    pair = ("hubspot/contacts/17", "hubspot/contacts/18")
    assert linked_by(small, *pair) == set()
    waiting = rows_of(small, "select left_record_key, right_record_key from unify.int_review_pairs")
    assert pair in waiting


def test_dots_tags_and_both_domains_of_one_provider_are_one_address(small: Settings) -> None:
    assert linked_by(small, "hubspot/contacts/1", "surveys/respondents/r1") == {"email"}


def test_dots_elsewhere_are_another_address(small: Settings) -> None:
    customers = customers_of(small)
    assert customers["surveys/respondents/r4"] != customers["surveys/respondents/r5"]


def test_a_domain_in_its_own_script_is_the_same_domain(small: Settings) -> None:
    assert linked_by(small, "hubspot/contacts/2", "surveys/respondents/r2") == {"email"}


def test_a_national_number_is_the_one_with_its_country(small: Settings) -> None:
    assert "phone_and_name" in linked_by(small, "hubspot/contacts/3", "surveys/respondents/r3")


def test_an_own_type_of_identifier_links_as_its_rule_says(small: Settings) -> None:
    customers = customers_of(small)
    four, five, six = (f"hubspot/contacts/{number}" for number in (4, 5, 6))
    assert linked_by(small, four, five) == {"loyalty_number"}
    assert customers[four] == customers[five]
    assert customers[four] != customers[six]


def test_why_finds_an_own_identifier_however_it_is_written(small: Settings) -> None:
    found = explain(small, "A.B-1 2.3", "hubspot/contacts/5")
    assert found.is_one_customer
    assert found.left_records == ["hubspot/contacts/4", "hubspot/contacts/5"]


def test_a_household_is_no_merge(small: Settings) -> None:
    customers = customers_of(small)
    seven, eight, nine = (customers[f"hubspot/contacts/{number}"] for number in (7, 8, 9))
    households = rows_of(
        small,
        "select household_id, customer_id, rule, member_count "
        "from unify.bridge_customer_households order by customer_id",
    )
    assert len({seven, eight, nine}) == 3
    assert {row[1] for row in households} == {seven, eight}
    assert len({row[0] for row in households}) == 1
    assert {row[2:] for row in households} == {("phone_and_last_name", 2)}


def consents_of(settings: Settings, record_id: str) -> list[tuple[object, ...]]:
    """What a mailing list's member is known to have said on e-mail: state, rule, permitted."""
    return rows_of(
        settings,
        "select state, rule, is_permitted from unify.fct_customer_consents as consents "
        "inner join identity.customer_records using (customer_id) "
        f"where record_key = 'mailchimp/members/{record_id}' "
        "and purpose = 'marketing' and channel = 'email' and valid_to is null",
    )


def test_who_says_nothing_is_asked_as_the_law_of_the_place_says(small: Settings) -> None:
    pushed = rows_of(
        small,
        "select jurisdiction, state, rule, is_permitted from unify.fct_customer_consents "
        "inner join identity.customer_records using (customer_id) "
        "where record_key = 'mailchimp/members/m1' and channel in ('push', 'web') order by channel",
    )
    assert pushed == [
        ("US", "never_given", "jurisdiction", False),
        ("US", "never_given", "jurisdiction", True),
    ]


def test_consent_is_judged_anew_when_customers_are_merged_and_split(small: Settings) -> None:
    assert consents_of(small, "m1") == [("granted", "stated", True)]
    assert consents_of(small, "m2") == [("withdrawn", "stated", False)]
    assert consents_of(small, "m3") == [("withdrawn", "most_restrictive", False)]
    assert consents_of(small, "m3") == consents_of(small, "m4")
    before = untouched_consents(small)
    decide(small, ("mailchimp/members/m1", "mailchimp/members/m2"))
    resolve(small, customers=True)
    assert consents_of(small, "m1") == [("withdrawn", "most_restrictive", False)]
    assert consents_of(small, "m1") == consents_of(small, "m2")
    assert consents_of(small, "m3") == [("granted", "stated", True)]
    assert consents_of(small, "m4") == [("withdrawn", "stated", False)]
    assert untouched_consents(small) == before


def untouched_consents(settings: Settings) -> list[tuple[object, ...]]:
    """Consents of customers who are on no mailing list."""
    return rows_of(
        settings,
        "select * from unify.fct_customer_consents where customer_id not in (select customer_id "
        "from identity.customer_records where record_key like 'mailchimp/%') order by all",
    )
