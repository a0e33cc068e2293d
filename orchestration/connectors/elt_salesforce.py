"""How Fivetran's tables of Salesforce become the records that our contracts read.

Tables in history mode hold every version of a record; those are versions here too. A record is what
the API would answer: the tool's own columns beside it would be the same names in another case.
"""

from __future__ import annotations

from orchestration.connectors.elt_zendesk import Mapped

_VERSION = (
    *("_fivetran_synced", "_fivetran_deleted", "_fivetran_start", "id", "is_deleted"),
    *("created_date", "last_modified_date", "system_modstamp", "master_record_id"),
)
_CHANGED = "coalesce(system_modstamp, last_modified_date, _fivetran_start, _fivetran_synced)"


def _mapped(table: str, fields: dict[str, str]) -> Mapped:
    """One object; its fields by their names in the API and in the tool's table."""
    named = {"MasterRecordId": "master_record_id", **fields}
    pairs = ", ".join(f"'{name}', {column}" for name, column in named.items())
    query = f"""
select
    _fivetran_synced as synced,
    json_object(
        'Id', id, {pairs},
        'IsDeleted', is_true(is_deleted) or is_true(_fivetran_deleted),
        'CreatedDate', utc(coalesce(created_date, {_CHANGED})),
        'SystemModstamp', version_at(_fivetran_deleted, _fivetran_synced, {_CHANGED})
    ) as record
from "{table}"
"""
    return Mapped(
        {table: (*_VERSION, *(column.split("[")[0] for column in fields.values()))}, query
    )


_PERSON = {
    "Email": "email",
    "FirstName": "first_name",
    "LastName": "last_name",
    "Phone": "phone",
    "MobilePhone": "mobile_phone",
    "Title": "title",
}

SALESFORCE = {
    "contacts": _mapped(
        "contact",
        {
            **_PERSON,
            "AccountId": "account_id",
            "MailingCountryCode": "mailing_country_code",
            "MailingPostalCode": "mailing_postal_code",
        },
    ),
    "leads": _mapped(
        "lead",
        {
            **_PERSON,
            "ConvertedContactId": "converted_contact_id",
            "Company": "company",
            "CountryCode": "country_code",
            "PostalCode": "postal_code",
            "Industry": "industry",
            "Status": "status",
        },
    ),
    "accounts": _mapped(
        "account",
        {
            "Name": "name",
            "Website": "website",
            "Industry": "industry",
            "BillingCountryCode": "billing_country_code",
            "NumberOfEmployees": "number_of_employees",
        },
    ),
    "opportunities": _mapped(
        "opportunity",
        {
            "AccountId": "account_id",
            "ContactId": "contact_id",
            "OwnerId": "owner_id",
            "Name": "name",
            "StageName": "stage_name",
            "Amount": "amount",
            "IsClosed": "is_closed",
            "IsWon": "is_won",
            "CloseDate": "close_date[:10]",
        },
    ),
    "cases": _mapped(
        "case",
        {
            "ContactId": "contact_id",
            "OwnerId": "owner_id",
            "Subject": "subject",
            "Status": "status",
            "Priority": "priority",
            "Origin": "origin",
        },
    ),
}
