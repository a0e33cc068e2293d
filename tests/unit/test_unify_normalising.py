"""One identifier has one form, however it is written."""

from __future__ import annotations

import duckdb
import pytest
from pydantic import ValidationError

from orchestration.settings import REPO_ROOT, Settings
from orchestration.unify.dbt_plugin import register_normal_form
from orchestration.unify.normalising import NormaliserSettings, normal_form
from orchestration.unify.rules import load_identity_rules

SHIPPED = load_identity_rules(Settings(home=REPO_ROOT / "unused")).normalisers
GERMAN = NormaliserSettings(default_phone_region="DE")


@pytest.mark.parametrize(
    ("written", "form"),
    [
        (" Ann@X.Example ", "ann@x.example"),
        ("ann+news@x.example", "ann@x.example"),
        ("a.n.n+news@googlemail.com", "ann@gmail.com"),
        ("a.n.n@x.example", "a.n.n@x.example"),
        ("ann+news@yahoo.com", "ann+news@yahoo.com"),
        ("ann@Müller.example", "ann@xn--mller-kva.example"),
        ("ann@xn--mller-kva.example.", "ann@xn--mller-kva.example"),
        ("ａｎｎ＠x.example", "ann@x.example"),
        ("not an address", "not an address"),
        ("  ", ""),
    ],
)
def test_an_address_is_read_as_its_provider_reads_it(written: str, form: str) -> None:
    assert normal_form("email", written, SHIPPED) == form


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("+49 (0)30 123456", "+4930123456"),
        ("0049 30 12 34 56", "+4930123456"),
        ("030/123456", "+4930123456"),
        ("tel. 030 123456 ext. 12", "+4930123456"),
        ("+44 20 7946 0958", "+442079460958"),
        # no number of any country: its digits stay, so that a blocked pattern may name them
        ("0000000000000000", "+00000000000000"),
        ("+1 555", "+1555"),
        ("none", ""),
    ],
)
def test_a_number_is_written_as_e164_of_the_default_region(written: str, form: str) -> None:
    assert normal_form("phone", written, GERMAN) == form


def test_the_default_region_decides_where_a_national_number_is_from() -> None:
    assert normal_form("phone", "(212) 555-0100", SHIPPED) == "+12125550100"
    assert normal_form("phone", "0212 5550100", GERMAN) == "+492125550100"


def test_own_types_are_compared_as_their_normaliser_says() -> None:
    forms = {name: normal_form(name, " Ab-1 2é ", GERMAN) for name in ("exact", "lower")}
    assert forms == {"exact": "Ab-1 2é", "lower": "ab-1 2é"}
    assert normal_form("letters_and_digits", " ab-1 2é ", GERMAN) == "AB12É"
    assert normal_form("domain", "Straße.example.", GERMAN) == "xn--strae-oqa.example"


def test_a_form_has_itself_as_its_form() -> None:
    for kind, written in (("email", "A.b+c@GoogleMail.com"), ("phone", "030/123456")):
        form = normal_form(kind, written, SHIPPED)
        assert normal_form(kind, form, SHIPPED) == form


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"default_phone_region": "Germany"}, "no region"),
        (
            {
                "default_phone_region": "DE",
                "email_providers": [{"domains": ["a.example"]}, {"domains": ["a.example"]}],
            },
            "two providers",
        ),
        (
            {"default_phone_region": "DE", "email_providers": [{"domains": ["A.example"]}]},
            "compared as",
        ),
        ({"default_phone_region": "DE", "email_tag_separators": "x"}, "pattern"),
    ],
)
def test_settings_that_cannot_be_are_refused(said: dict[str, object], wrong: str) -> None:
    with pytest.raises(ValidationError, match=wrong):
        NormaliserSettings.model_validate(said)


def test_sql_gives_the_same_forms_and_leaves_null_alone() -> None:
    with duckdb.connect() as connection:
        register_normal_form(connection)
        register_normal_form(connection)
        row = connection.execute(
            "select journeyline_normal_form('phone', '030 123456', $1), "
            "journeyline_normal_form('phone', 'none', $1), "
            "journeyline_normal_form('phone', null, $1)",
            [GERMAN.model_dump_json()],
        ).fetchone()
    assert row == ("+4930123456", "", None)
