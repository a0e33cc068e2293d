"""The form in which an identifier is compared: one function for dbt, `identity why` and erasure.

Belongs here: normalisers, and what `identity.yml` says of them. They are pure functions of the
value and those settings. dbt calls them once per written value (`unify.int_identifier_forms`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

import idna
import phonenumbers
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class EmailProvider(BaseModel):
    """A provider that reads addresses in a way of its own.

    Args:
        domains: Its domains; all of them lead to one mailbox, which the first one names.
        ignored: Characters of the mailbox name that it reads over, such as dots.
        tag_separators: What begins a tag, which does not name the mailbox; empty for none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    domains: tuple[str, ...] = Field(min_length=1)
    ignored: str = Field(default="", pattern=r"^[^a-zA-Z0-9@]*$")
    tag_separators: str = Field(default="+", pattern=r"^[^a-zA-Z0-9@]*$")

    @field_validator("domains")
    @classmethod
    def _written_as_compared(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for domain in value:
            if domain != domain_form(domain):
                raise ValueError(f"domain {domain!r} is compared as {domain_form(domain)!r}")
        return value


class NormaliserSettings(BaseModel):
    """What `identity.yml` says of normalisers.

    Args:
        default_phone_region: Region (ISO 3166, two letters) of numbers that name no country.
        email_tag_separators: What begins a tag where a provider says nothing else.
        email_providers: Providers with rules of their own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    default_phone_region: str
    email_tag_separators: str = Field(default="+", pattern=r"^[^a-zA-Z0-9@]*$")
    email_providers: tuple[EmailProvider, ...] = ()

    @field_validator("default_phone_region")
    @classmethod
    def _is_a_region(cls, value: str) -> str:
        if value not in phonenumbers.SUPPORTED_REGIONS:
            raise ValueError(f"{value!r} is no region with phone numbers, such as US or DE")
        return value

    @model_validator(mode="after")
    def _domains_once(self) -> NormaliserSettings:
        domains = [domain for provider in self.email_providers for domain in provider.domains]
        twice = sorted({domain for domain in domains if domains.count(domain) > 1})
        if twice:
            raise ValueError(f"domain {twice[0]!r} has two providers")
        return self


def normal_form(normaliser: str, value: str, settings: NormaliserSettings) -> str:
    """The form in which a value is compared; empty where nothing is left of it.

    Args:
        normaliser: One of `NORMALISERS`.
        value: As it was written.
        settings: What `identity.yml` says.
    """
    return NORMALISERS[normaliser](value, settings)


def normal_form_by_text(normaliser: str, value: str, settings: str) -> str:
    """`normal_form` as SQL calls it: the settings are JSON text."""
    return normal_form(normaliser, value, _settings_of(settings))


def email_form(value: str, settings: NormaliserSettings) -> str:
    """An address: no case, blanks or tag; the domain in ASCII; as its provider reads it."""
    mailbox, at, domain = unicodedata.normalize("NFKC", value).strip().lower().rpartition("@")
    if not at:
        return domain
    provider = _providers(settings).get(domain_form(domain))
    separators = provider.tag_separators if provider else settings.email_tag_separators
    named = re.split(f"[{re.escape(separators)}]", mailbox)[0] if separators else mailbox
    if provider:
        named = "".join(letter for letter in named if letter not in provider.ignored)
    return f"{named}@{provider.domains[0] if provider else domain_form(domain)}"


def domain_form(value: str) -> str:
    """A domain as the name service knows it: lower case, ASCII (IDNA 2008, UTS 46)."""
    domain = value.strip().lower().rstrip(".")
    if domain.isascii():
        return domain
    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        return domain


def phone_form(value: str, settings: NormaliserSettings) -> str:
    """A number in E.164; what can be no number stays `+` and digits, for the blocked patterns."""
    digits = re.sub(r"[^0-9]", "", value)
    if not digits:
        return ""
    written = value.strip()
    if digits.startswith("00") and not written.startswith("+"):
        written = f"+{digits[2:]}"
    try:
        number = phonenumbers.parse(written, settings.default_phone_region)
    except phonenumbers.NumberParseException:
        return plain_phone_form(value, settings)
    reason = phonenumbers.is_possible_number_with_reason(number)
    if reason != phonenumbers.ValidationResult.IS_POSSIBLE:
        return plain_phone_form(value, settings)
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def plain_phone_form(value: str, settings: NormaliserSettings) -> str:
    """A number by its digits alone: a national one gets the default region's prefix."""
    digits = re.sub(r"[^0-9]", "", value)
    if not digits:
        return ""
    if value.strip().startswith("+"):
        return f"+{digits}"
    if digits.startswith("00"):
        return f"+{digits[2:]}"
    prefix = phonenumbers.country_code_for_region(settings.default_phone_region)
    return f"+{prefix}{digits.removeprefix('0')}"


def _exact(value: str, settings: NormaliserSettings) -> str:
    return value.strip()


def _lower(value: str, settings: NormaliserSettings) -> str:
    return unicodedata.normalize("NFKC", value).strip().lower()


def _letters_and_digits(value: str, settings: NormaliserSettings) -> str:
    written = unicodedata.normalize("NFKC", value).upper()
    return "".join(letter for letter in written if letter.isalnum())


def _domain(value: str, settings: NormaliserSettings) -> str:
    return domain_form(value)


# What each does with a value; `identity.yml` names them.
NORMALISERS: dict[str, Callable[[str, NormaliserSettings], str]] = {
    "email": email_form,
    "phone": phone_form,
    "domain": _domain,
    "exact": _exact,
    "lower": _lower,
    "letters_and_digits": _letters_and_digits,
}


@lru_cache(maxsize=8)
def _settings_of(text: str) -> NormaliserSettings:
    return NormaliserSettings.model_validate_json(text)


@lru_cache(maxsize=8)
def _providers(settings: NormaliserSettings) -> dict[str, EmailProvider]:
    return {
        domain: provider for provider in settings.email_providers for domain in provider.domains
    }
