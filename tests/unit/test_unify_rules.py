"""`identity.yml` says what it means, and errors name the line."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from orchestration.errors import JourneylineError
from orchestration.settings import REPO_ROOT, Settings
from orchestration.unify.config_tables import identity_rows, write_identity_tables
from orchestration.unify.consent import consent_rows, load_consents
from orchestration.unify.normalising import NormaliserSettings
from orchestration.unify.rules import IdentityRules, load_identity_rules

MINIMAL = """\
normalisers: {default_phone_region: US}
rules:
  - {rule: email, identifier_type: email, fan_out_cap: 12, guard: names_do_not_conflict}
blocked_values:
  - {identifier_type: email, pattern: '^info@', reason: role mailbox}
same_first_names:
  - [robert, bob]
"""
CONSENT = "consents:\n  - {purpose: marketing, channel: email, permitted_unsaid: [US]}\n"


def project(folder: Path, text: str) -> Settings:
    """A project whose identity.yml is `text`."""
    config = folder / "orchestration" / "config"
    config.mkdir(parents=True)
    (config / "identity.yml").write_text(text, encoding="utf-8")
    (config / "consent.yml").write_text(CONSENT, encoding="utf-8")
    return Settings(home=folder / "home", repo_root=folder)


def test_the_shipped_file_is_valid() -> None:
    rules = load_identity_rules(Settings(home=Path("unused"), repo_root=REPO_ROOT))
    assert [rule.rule for rule in rules.rules][:2] == ["user_id", "vendor_merge"]


@pytest.mark.parametrize(
    ("found", "replaced", "line", "said"),
    [
        ("fan_out_cap: 12", "fan_out_cap: 1", 3, "greater than or equal to 2"),
        ("rule: email", "rule: horoscope", 3, "horoscope"),
        ("identifier_type: email, fan", "identifier_type: phone, fan", 3, "compares email"),
        ("'^info@'", "'^(info@'", 5, "no regular expression"),
        ("[robert, bob]", "[robert, Bob]", 7, "lower case"),
        ("region: US", "region: USA", 1, "no region"),
        ("identifier_type: email, fan", "fan", 3, "needs identifier_type or combination"),
        ("identifier_type: email, fan", "combination: [first_name, city], fan", 3, "at least two"),
        (
            "identifier_type: email, fan",
            "combination: [last_name, city, street], fan",
            3,
            "a family would be one person",
        ),
        (
            "identifier_type: email, fan",
            "combination: [first_name, city, city, street], fan",
            3,
            "twice",
        ),
        (
            "identifier_type: email, fan",
            "combination: [first_name, birth_date, city], fan",
            2,
            "cannot be named 'email'",
        ),
    ],
)
def test_an_error_names_the_line_and_what_is_wrong(
    tmp_path: Path, found: str, replaced: str, line: int, said: str
) -> None:
    settings = project(tmp_path, MINIMAL.replace(found, replaced, 1))
    with pytest.raises(JourneylineError) as caught:
        load_identity_rules(settings)
    assert caught.value.exit_code == 2
    assert said in caught.value.what
    near = int(caught.value.where.rsplit(":", 1)[1])
    assert abs(near - line) <= 1


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            "cluster_limits:\n"
            "  - {limit: one, attribute: user_id, at_most: 1, refuses: all}\n"
            "  - {limit: one, attribute: phone, at_most: 1, refuses: all}\n",
            "twice",
        ),
        ("cluster_limits:\n  - {limit: a, attribute: shoe, at_most: 1, refuses: all}\n", "pattern"),
        (
            "probabilistic: {model: a.json, merge_probability: 0.9, review_probability: 0.95, "
            "block_cap: 9}\n",
            "above merge_probability",
        ),
        (
            "probabilistic: {model: a.json, merge_probability: 0.9, review_probability: 0.5, "
            "certain_probability: 0.8, block_cap: 9}\n",
            "above certain_probability",
        ),
        ("survivorship:\n  country: {rule: source_priority}\n", "needs them"),
        ("households: {size_cap: 4, rules: [{rule: flat, shares: [phone]}]}\n", "at least 2"),
        (
            "households:\n  size_cap: 4\n  rules:\n"
            "    - {rule: flat, shares: [phone, last_name]}\n"
            "    - {rule: flat, shares: [phone, country]}\n",
            "'flat' stands there twice",
        ),
        (
            "identifier_types:\n"
            "  - {identifier_type: email, normaliser: lower, held_by: [a.b.c]}\n",
            "brings along",
        ),
        (
            "identifier_types:\n  - {identifier_type: card, normaliser: horoscope, "
            "held_by: [a.b.c]}\n",
            "normaliser",
        ),
        (
            "identifier_types:\n  - {identifier_type: card, normaliser: exact, held_by: [a.b]}\n",
            "pattern",
        ),
        ("survivorship:\n  country: {rule: longest, sources: [crm]}\n", "needs them"),
        ("survivorship:\n  shoe: {rule: longest}\n", "first_name"),
    ],
)
def test_limits_matcher_and_survivorship_are_proved(tmp_path: Path, more: str, said: str) -> None:
    with pytest.raises(JourneylineError, match=said) as caught:
        load_identity_rules(project(tmp_path, MINIMAL + more))
    assert caught.value.exit_code == 2


def test_rules_and_blocked_values_are_about_types_that_there_are(tmp_path: Path) -> None:
    text = MINIMAL.replace("identifier_type: email, pattern", "identifier_type: face, pattern")
    with pytest.raises(JourneylineError, match="'face' is no type of identifier"):
        load_identity_rules(project(tmp_path, text))


def test_a_rule_named_twice_is_refused(tmp_path: Path) -> None:
    row = MINIMAL.splitlines()[2]
    with pytest.raises(JourneylineError, match="twice"):
        load_identity_rules(project(tmp_path, MINIMAL.replace(row, f"{row}\n{row}")))


def test_broken_yaml_and_a_missing_file_are_usage_errors(tmp_path: Path) -> None:
    with pytest.raises(JourneylineError, match="no YAML") as caught:
        load_identity_rules(project(tmp_path, "rules: [\n"))
    assert caught.value.exit_code == 2
    with pytest.raises(JourneylineError, match="missing"):
        load_identity_rules(Settings(home=tmp_path, repo_root=tmp_path / "nowhere"))


def test_trust_is_the_order_in_the_file() -> None:
    rules = IdentityRules.model_validate(
        {
            "normalisers": {"default_phone_region": "DE"},
            "rules": [
                {
                    "rule": "user_id",
                    "identifier_type": "user_id",
                    "fan_out_cap": 9,
                    "guard": "none",
                },
                {
                    "rule": "email",
                    "identifier_type": "email",
                    "fan_out_cap": 9,
                    "guard": "none",
                    "enabled": False,
                },
            ],
        }
    )
    assert identity_rows(rules)["identity_rules"] == [
        ("user_id", "user_id", "none", 9, 1, True),
        ("email", "email", "none", 9, 2, False),
    ]


def test_writing_the_tables_twice_replaces_them(tmp_path: Path) -> None:
    settings = project(tmp_path, MINIMAL)
    settings.home.mkdir()
    write_identity_tables(settings)
    write_identity_tables(settings)
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        names = connection.execute("from config.identity_first_names order by 1").fetchall()
        blocked = connection.execute("from config.identity_blocked_values").fetchall()
        row = connection.execute("from config.identity_settings").fetchone()
        types = connection.execute("from config.identity_types order by 1").fetchall()
    assert names == [("bob", 1), ("robert", 1)]
    assert blocked == [("email", "^info@", "role mailbox")]
    assert row is not None and row[1:] == (None,) * 6
    assert NormaliserSettings.model_validate_json(row[0]).default_phone_region == "US"
    assert types == [("email", "email"), ("phone", "phone"), ("user_id", "exact")]


def test_consent_is_asked_for_once_and_decided_for_every_jurisdiction(tmp_path: Path) -> None:
    settings = project(tmp_path, MINIMAL)
    assert consent_rows(load_consents(settings)) == [
        ("marketing", "email", "EU", False),
        ("marketing", "email", "UK", False),
        ("marketing", "email", "US", True),
        ("marketing", "email", "other", False),
        ("marketing", "email", "unknown", False),
    ]
    path = settings.config / "consent.yml"
    path.write_text(CONSENT + CONSENT.splitlines()[1] + "\n", encoding="utf-8")
    with pytest.raises(JourneylineError, match="marketing by email stands there twice"):
        load_consents(settings)
    path.write_text(CONSENT.replace("[US]", "[Mars]"), encoding="utf-8")
    with pytest.raises(JourneylineError, match="permitted_unsaid"):
        load_consents(settings)
