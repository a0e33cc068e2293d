"""What a demo company is made from: seed, size, calendar, and the rates of its mess."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import yaml

from orchestration.errors import EXIT_USAGE, JourneylineError

DEFAULT_START = date(2024, 1, 1)
HISTORY_MONTHS = 18
MONTHLY_GROWTH = 0.02
SMALLEST_COMPANY = 200


@dataclass(frozen=True)
class Mess:
    """Rates (0–1) of each kind of mess, and the nights of the planted faults.

    Persons: several_emails, shared_devices, households, shared_inboxes, recycled_phones,
    fuzzy_only. Records: typos, nicknames; vendor_duplicates counts contacts.
    Companies: role_mailboxes.
    Rows: late_rows, clock_skew, broken_rows, duplicate_rows, unordered_rows;
    anonymous_events is the share of the app's events that carry no user id.
    """

    several_emails: float = 0.16
    typos: float = 0.055
    nicknames: float = 0.055
    shared_devices: float = 0.065
    households: float = 0.085
    shared_inboxes: float = 0.014
    recycled_phones: float = 0.018
    role_mailboxes: float = 0.035
    vendor_duplicates: float = 0.033
    fuzzy_only: float = 0.13
    late_rows: float = 0.032
    clock_skew: float = 0.032
    broken_rows: float = 0.0035
    duplicate_rows: float = 0.005
    unordered_rows: float = 0.1
    anonymous_events: float = 0.5
    drift_night: int = 10
    missing_night: int = 17

    @classmethod
    def from_file(cls, path: Path) -> Mess:
        """Read overrides of the default rates from a YAML mapping.

        Raises:
            JourneylineError: The file is not a mapping of known rates to numbers in range.
        """
        known = {field.name: field.type for field in fields(cls)}
        try:
            loaded: Any = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except (OSError, yaml.YAMLError) as error:
            raise _mess_error(path, f"it cannot be read ({error})") from error
        if not isinstance(loaded, dict):
            raise _mess_error(path, "it is not a mapping")
        for name, value in loaded.items():
            if name not in known:
                raise _mess_error(path, f"{name!r} is not one of {', '.join(known)}")
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise _mess_error(path, f"{name} is not a number")
            if name.endswith("_night"):
                if not isinstance(value, int) or value < 1:
                    raise _mess_error(path, f"{name} is not a night: a whole number from 1")
            elif not 0 <= value <= 0.5:
                raise _mess_error(path, f"{name} is not between 0 and 0.5")
        return replace(cls(), **{str(name): value for name, value in loaded.items()})


def _mess_error(path: Path, reason: str) -> JourneylineError:
    return JourneylineError(
        f"The mess file is not valid: {reason}.", str(path), "Correct the line.", EXIT_USAGE
    )


@dataclass(frozen=True)
class DemoParameters:
    """Everything the bytes of a demo company depend on, but for the number of nights."""

    seed: int
    customers: int
    start: date
    mess: Mess

    def __post_init__(self) -> None:
        if self.customers < SMALLEST_COMPANY:
            raise JourneylineError(
                f"A demo company needs at least {SMALLEST_COMPANY} customers.",
                f"--customers {self.customers}",
                "Give a larger number.",
                EXIT_USAGE,
            )

    @property
    def first_night(self) -> date:
        """The night on which the history is delivered."""
        return add_months(self.start, HISTORY_MONTHS)

    def night(self, number: int) -> date:
        """The date of the given night after the history (0 is the history's own)."""
        return self.first_night + timedelta(days=number)

    def to_json(self) -> dict[str, Any]:
        """The parameters as `truth/company.json` keeps them."""
        return {
            "seed": self.seed,
            "customers": self.customers,
            "start": self.start.isoformat(),
            "mess": asdict(self.mess),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> DemoParameters:
        """The inverse of `to_json`."""
        return cls(
            seed=int(value["seed"]),
            customers=int(value["customers"]),
            start=date.fromisoformat(value["start"]),
            mess=Mess(**value["mess"]),
        )

    def cohorts(self, last_night: date) -> list[tuple[int, date, date, int, int]]:
        """Months as (number, from, to, first person, persons), to the month of the last night.

        People arrive at a slowly growing pace during the history and by 2 % a month after it.
        """
        rows: list[tuple[int, date, date, int, int]] = []
        weights = [1 + 0.08 * month for month in range(HISTORY_MONTHS)]
        first_person = 0
        month = 0
        while not rows or rows[-1][2] <= last_night:
            if month < HISTORY_MONTHS:
                share = sum(weights[: month + 1]) / sum(weights)
                persons = round(self.customers * share) - first_person
            else:
                persons = max(1, round(self.customers * MONTHLY_GROWTH))
            rows.append(
                (
                    month,
                    add_months(self.start, month),
                    add_months(self.start, month + 1),
                    first_person,
                    persons,
                )
            )
            first_person += persons
            month += 1
        return rows


def add_months(day: date, months: int) -> date:
    """The same day of a later month (28 at most, so that every month has it)."""
    years, month = divmod(day.month - 1 + months, 12)
    return date(day.year + years, month + 1, min(day.day, 28))
