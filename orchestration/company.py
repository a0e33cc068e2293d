"""What holds for the whole company: reporting zone, currency, brands, rates."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.settings import Settings


class CurrencyRate(BaseModel):
    """From `valid_from` on, one unit of `currency` is worth `rate` of the reporting currency."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    currency: str
    valid_from: date
    rate: Decimal


class Company(BaseModel):
    """`company.yml`, proved."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    reporting_time_zone: str = "UTC"
    reporting_currency: str = "USD"
    brands: list[str] = ["main"]
    first_night: date
    currency_rates: list[CurrencyRate] = []

    @field_validator("reporting_time_zone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{value!r} is no time zone; write one like Europe/Paris") from error
        return value

    @model_validator(mode="after")
    def _rates_fit_the_currency(self) -> Company:
        """Rates lead to the reporting currency, so its own is 1 and nothing else."""
        own = {r.rate for r in self.currency_rates if r.currency == self.reporting_currency}
        if self.currency_rates and own != {Decimal(1)}:
            raise ValueError(
                f"currency_rates lead to {self.reporting_currency}: list it with a rate of 1"
            )
        return self


def load_company(settings: Settings) -> Company:
    """Read and prove `orchestration/config/company.yml`.

    Raises:
        JourneylineError: The file is missing or says something that cannot be.
    """
    path = settings.config / "company.yml"
    try:
        return Company.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise JourneylineError(
            "company.yml is missing.", str(path), "Restore it from the project.", EXIT_USAGE
        ) from error
    except (ValidationError, ValueError, KeyError) as error:
        raise JourneylineError(
            f"company.yml is not valid: {error}", str(path), "Correct the field.", EXIT_USAGE
        ) from error
