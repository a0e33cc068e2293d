"""`consent.yml` as facts: what for and where people are asked, and what holds until they answer."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator

from orchestration.proved_yaml import load_proved
from orchestration.settings import Settings

# As the macro `jurisdiction` tells them apart; unknown where no source says a country.
Jurisdiction = Literal["EU", "UK", "US", "other", "unknown"]


class AskedConsent(BaseModel):
    """A purpose on a channel.

    Args:
        purpose: What for.
        channel: Where.
        permitted_unsaid: Whose law permits it as long as a person has said nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    purpose: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    channel: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    permitted_unsaid: list[Jurisdiction]


class Consents(BaseModel):
    """`consent.yml`, proved."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    consents: list[AskedConsent]

    @field_validator("consents")
    @classmethod
    def _asked_once(cls, value: list[AskedConsent]) -> list[AskedConsent]:
        asked = [(consent.purpose, consent.channel) for consent in value]
        twice = sorted({pair for pair in asked if asked.count(pair) > 1})
        if twice:
            raise ValueError(f"{' by '.join(twice[0])} stands there twice")
        return value


def load_consents(settings: Settings) -> Consents:
    """Read and prove `orchestration/config/consent.yml`.

    Raises:
        JourneylineError: The file is missing or says something that cannot be (exit 2).
    """
    return load_proved(settings.config / "consent.yml", Consents)


def consent_rows(consents: Consents) -> list[tuple[object, ...]]:
    """Rows (purpose, channel, jurisdiction, is_permitted_unsaid) of `config.consent_purposes`."""
    return [
        (consent.purpose, consent.channel, jurisdiction, jurisdiction in consent.permitted_unsaid)
        for consent in consents.consents
        for jurisdiction in get_args(Jurisdiction)
    ]
