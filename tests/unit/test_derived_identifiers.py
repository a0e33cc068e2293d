"""The macro of own identifier types names what the staging models select, or says what is wrong."""

from __future__ import annotations

import pytest

from orchestration.errors import JourneylineError
from orchestration.ingest.contracts import load_contracts
from orchestration.ingest.derived_identifiers import own_identifiers_macro
from orchestration.settings import REPO_ROOT, Settings
from orchestration.unify.rules import OwnIdentifierType

CONTRACTS = load_contracts(Settings(home=REPO_ROOT / "unused"))
STAGED = {
    "hubspot/contacts": {
        "contact_id": "contact_id",
        "job": "job_title",
        "updated_at": "updated_at",
        "load_number": "_load_number",
        "received_at": "_received_at",
    },
    "mailchimp/email_activity": {"action": "action"},
}


def badge(held: str) -> OwnIdentifierType:
    return OwnIdentifierType(identifier_type="badge", normaliser="exact", held_by=[held])


def test_a_column_is_named_as_its_staging_model_names_it() -> None:
    text = own_identifiers_macro([badge("hubspot.contacts.job_title")], CONTRACTS, STAGED)
    for said in (
        "'identifier_type': 'badge'",
        "'model': 'stg_hubspot__contacts'",
        "'column': 'job'",
        "'record_id': 'contact_id'",
        "'version_at': 'updated_at'",
    ):
        assert said in text


@pytest.mark.parametrize(
    ("held", "why"),
    [
        ("hubspot.people.badge", "no contract of hubspot/people"),
        ("hubspot.contacts.badge", "selects no badge"),
        ("mailchimp.email_activity.action", "no one column that names a record"),
    ],
)
def test_a_column_that_cannot_be_read_is_refused(held: str, why: str) -> None:
    with pytest.raises(JourneylineError, match=why) as caught:
        own_identifiers_macro([badge(held)], CONTRACTS, STAGED)
    assert caught.value.exit_code == 2
    assert held in caught.value.where
