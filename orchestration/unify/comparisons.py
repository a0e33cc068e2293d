"""What the probabilistic matcher compares: one definition for Splink, which trains, and for dbt,
which scores.

Belongs here: the comparisons with their levels, best first, and the two texts made of them. `l.`
and `r.` name the two states of records (`unify.int_record_states`). Weights stand in the trained
model (`model.py`), thresholds in `identity.yml`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Level:
    """One outcome of a comparison.

    Args:
        number: Its number, as Splink counts: downwards to 0; -1 where a side does not say.
        label: What it means, as a reviewer reads it.
        condition: SQL over `l.` and `r.`; empty for what is left over.
        term: Column whose rare values weigh more, or None.
    """

    number: int
    label: str
    condition: str
    term: str | None = None


@dataclass(frozen=True)
class Comparison:
    """Levels that are tried in order; the first whose condition holds is the outcome.

    Args:
        name: Name of the comparison.
        levels: Its levels in the order in which they are tried.
        given_name: Whether its frequencies among strangers are those among strangers of the same
            name, which is what the matcher is asked about.
    """

    name: str
    levels: tuple[Level, ...]
    given_name: bool = True


def _missing(*columns: str) -> Level:
    either = " or ".join(f"{side}.{column} is null" for column in columns for side in "lr")
    return Level(-1, "not known", either)


_SWAPPED = (
    "((l.first_name = r.last_name and levenshtein(l.last_name, r.first_name) <= 2) "
    "or (l.last_name = r.first_name and levenshtein(l.first_name, r.last_name) <= 2))"
)


def _near(column: str, shortest: int, slips: int) -> str:
    """Values of at least some length that differ by no more than some slips of the keyboard."""
    return (
        f"(least(length(l.{column}), length(r.{column})) >= {shortest} "
        f"and levenshtein(l.{column}, r.{column}) <= {slips})"
    )


COMPARISONS: tuple[Comparison, ...] = (
    Comparison(
        "first_name",
        (
            _missing("first_name"),
            Level(6, "same first name", "l.first_name = r.first_name", "first_name"),
            Level(5, "first and last name swapped", _SWAPPED),
            Level(
                4,
                "forms of one first name",
                "(l.name_group in (r.name_group, r.other_name_group) "
                "or l.other_name_group in (r.name_group, r.other_name_group))",
            ),
            Level(
                3,
                "one first name begins the other",
                "(l.first_name like r.first_name || '%' or r.first_name like l.first_name || '%')",
            ),
            Level(2, "first names one slip apart", _near("first_name", 3, 1)),
            Level(1, "first names nearly the same", _near("first_name", 4, 2)),
            Level(0, "other first name", ""),
        ),
        given_name=False,
    ),
    # Swapped names are one observation, which counts with the first names.
    Comparison(
        "last_name",
        (
            Level(
                -1,
                "not known",
                f"{_missing('last_name').condition} or coalesce({_SWAPPED}, false)",
            ),
            Level(3, "same last name", "l.last_name = r.last_name", "last_name"),
            Level(2, "last names one slip apart", _near("last_name", 4, 1)),
            Level(1, "last names nearly the same", _near("last_name", 5, 2)),
            Level(0, "other last name", ""),
        ),
        given_name=False,
    ),
    Comparison(
        "email",
        (
            _missing("email_local", "email_domain"),
            Level(
                4,
                "same e-mail address",
                "(l.email_local = r.email_local and l.email_domain = r.email_domain)",
            ),
            Level(
                3,
                "e-mail addresses differ by a number",
                "(l.email_letters = r.email_letters and l.email_domain = r.email_domain)",
            ),
            Level(
                2,
                "e-mail addresses nearly the same",
                "(l.email_domain = r.email_domain "
                "and levenshtein(l.email_local, r.email_local) <= 2)",
            ),
            Level(
                1, "same mailbox name elsewhere", "l.email_letters = r.email_letters"
            ),
            Level(0, "other e-mail address", ""),
        ),
    ),
    Comparison(
        "phone",
        (
            _missing("phone"),
            Level(1, "same phone number", "l.phone = r.phone"),
            Level(0, "other phone number", ""),
        ),
    ),
    Comparison(
        "place",
        (
            Level(
                -1,
                "not known",
                "(l.country is null or r.country is null) "
                "and (l.postal_code is null or r.postal_code is null) "
                "and (l.city is null or r.city is null)",
            ),
            Level(
                6,
                "same postal code and city",
                "(l.postal_code = r.postal_code and l.city = r.city)",
            ),
            Level(5, "same postal code", "l.postal_code = r.postal_code"),
            Level(4, "same city", "l.city = r.city"),
            Level(3, "other country", "l.country <> r.country"),
            Level(
                2,
                "cities or postal codes nearly the same",
                f"({_near('postal_code', 4, 1)} or {_near('city', 5, 2)})",
            ),
            Level(
                1,
                "other city or postal code",
                "((l.postal_code is not null and r.postal_code is not null) "
                "or (l.city is not null and r.city is not null))",
            ),
            Level(0, "same country", ""),
        ),
    ),
    Comparison(
        "street",
        (
            _missing("street"),
            Level(
                4,
                "same street and house number",
                "(l.street = r.street and l.house_number = r.house_number)",
            ),
            Level(
                3,
                "streets nearly the same, same house number",
                f"({_near('street', 5, 3)} and l.house_number = r.house_number)",
            ),
            Level(2, "same street", "l.street = r.street"),
            Level(1, "streets nearly the same", _near("street", 5, 3)),
            Level(0, "other street", ""),
        ),
    ),
    Comparison(
        "birth_date",
        (
            _missing("birth_date"),
            Level(3, "same date of birth", "l.birth_date = r.birth_date"),
            Level(
                2,
                "dates of birth one digit apart",
                "levenshtein(l.birth_date, r.birth_date) <= 1",
            ),
            Level(
                1,
                "dates of birth two digits apart",
                "levenshtein(l.birth_date, r.birth_date) <= 2",
            ),
            Level(0, "other date of birth", ""),
        ),
    ),
    Comparison(
        "company",
        (
            _missing("company_name"),
            Level(1, "same company", "l.company_name = r.company_name"),
            Level(0, "other company", ""),
        ),
    ),
    Comparison(
        "registered",
        (
            _missing("registered_day"),
            Level(
                3,
                "entered within 3 days",
                "l.registered_day - r.registered_day between -3 and 3",
            ),
            Level(
                2,
                "entered within 30 days",
                "l.registered_day - r.registered_day between -30 and 30",
            ),
            Level(
                1,
                "entered within 90 days",
                "l.registered_day - r.registered_day between -90 and 90",
            ),
            Level(0, "entered at other times", ""),
        ),
    ),
    Comparison(
        "entity",
        (
            Level(1, "records of different lists", "l.source_entity <> r.source_entity"),
            Level(0, "records of one list", ""),
        ),
    ),
)  # fmt: skip


def splink_condition(condition: str) -> str:
    """A condition with Splink's names: `first_name_l` for `l.first_name`."""
    return re.sub(r"\b([lr])\.(\w+)", r"\2_\1", condition)
