"""Handles: what names a person in a row, and the tombstones of those who were erased.

Belongs here: `privacy.yml`, how values are compared, and `identity/tombstones.ndjson`, where
handles stand as keyed hashes alone. The hash uses the ledger key, which is never rotated.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import duckdb
from pydantic import BaseModel, ConfigDict, Field

from orchestration.keys import hmac_blocks, ledger_key, pseudonym
from orchestration.proved_yaml import load_proved
from orchestration.settings import Settings
from orchestration.unify.normalising import (
    NormaliserSettings,
    email_form,
    normal_form,
    phone_form,
    plain_phone_form,
)

EMAIL, PHONE, USER, CUSTOMER = "email", "phone", "user_id", "customer_id"
# A whole row, where nothing in it says whose it is; its hash begins with this, too.
ROW = "row"
Handle = tuple[str, str]
Hash = Callable[[Handle], str]
_MAILBOX = re.compile(r"[A-Za-z0-9._%+'-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_WORD = re.compile(r"\w+")
_TAG = re.compile(r"\+[^@]*@")
_CACHED = 1 << 20


class Belonging(BaseModel):
    """Rows of `table` whose `owner` is the person name, in `owned`, what is the person's whole."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    table: str
    owner: str
    owned: str


class Retention(BaseModel):
    """How long rows of sources are kept.

    Args:
        every: Whether rows that are too old go in the first run of each month or in each night's.
        days: Days that rows are kept, per `source/entity`, or source for its tables of events;
            for ever where none says so.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    every: Literal["month", "night"] = "month"
    days: dict[str, Annotated[int, Field(ge=1, strict=True)]] = {}


class Privacy(BaseModel):
    """`privacy.yml`, proved."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    subjects: dict[str, dict[str, str]]
    belongings: dict[str, Belonging] = {}
    retention: Retention = Retention()


def load_privacy(settings: Settings) -> Privacy:
    """Read and prove `orchestration/config/privacy.yml`.

    Raises:
        JourneylineError: The file is missing or says something that cannot be (exit 2).
    """
    return load_proved(settings.config / "privacy.yml", Privacy)


def handles_of(
    fields: Mapping[str, Any],
    text: str,
    domains: Mapping[str, str],
    normalisers: NormaliserSettings,
    own_types: Mapping[str, str] | None = None,
) -> set[Handle]:
    """What names a person in one row.

    Args:
        fields: Values by column of the contract.
        text: The row as it was delivered; e-mail addresses anywhere in it count.
        domains: Domain per column that names a person.
        normalisers: How identifiers are compared.
        own_types: Normaliser of each own type of `identity.yml`, which is a domain too.
    """
    found = {handle for match in _MAILBOX.findall(text) for handle in _emails(match, normalisers)}
    for column, domain in domains.items():
        value = fields.get(column)
        if value is None or value == "":
            continue
        if domain == PHONE:
            found |= _phones(str(value), normalisers)
        elif domain == EMAIL:
            for email in str(value).split(";"):
                found |= _emails(email, normalisers)
        elif own_types and domain in own_types:
            found.add((domain, normal_form(own_types[domain], str(value), normalisers)))
        else:
            found.add((domain, str(value)))
    return found


def row_handle(table: str, text: str) -> Handle:
    """A row by its words, in whatever order and punctuation it is delivered again."""
    words = f"{table}:{' '.join(sorted(_WORD.findall(text)))}"
    return ROW, hashlib.sha256(words.encode()).hexdigest()


# A tombstone outlives a change of `identity.yml`, so a value also counts in its plain form, which
# no setting changes but the region of numbers that name no country.
@lru_cache(_CACHED)
def _emails(value: str, normalisers: NormaliserSettings) -> frozenset[Handle]:
    plain = _TAG.sub("@", value.strip().lower())
    return frozenset({(EMAIL, email_form(value, normalisers)), (EMAIL, plain)})


@lru_cache(_CACHED)
def _phones(value: str, normalisers: NormaliserSettings) -> frozenset[Handle]:
    forms = {phone_form(value, normalisers), plain_phone_form(value, normalisers)}
    return frozenset((PHONE, form) for form in forms if form)


def hasher(settings: Settings) -> Hash:
    """The keyed hash of a handle."""
    key = ledger_key(settings)

    @lru_cache(_CACHED)
    def hashed(handle: Handle) -> str:
        mark = f"{ROW}-" if handle[0] == ROW else ""
        return mark + pseudonym(key, ":".join(handle))

    return hashed


def define_ledger_hash(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Make `ledger_hash(text)` a macro of a connection: the keyed hash, set-based."""
    inner, outer = hmac_blocks(ledger_key(settings))
    connection.execute("set variable ledger_inner = ?::blob", [inner])
    connection.execute("set variable ledger_outer = ?::blob", [outer])
    connection.execute(
        """
        create macro ledger_hash(value) as left(sha256(
            getvariable('ledger_outer')
            || unhex(sha256(getvariable('ledger_inner') || encode(value)))
        ), 32)
        """
    )


def tombstones_path(settings: Settings) -> Path:
    """Where the tombstones stand."""
    return settings.identity / "tombstones.ndjson"


def read_tombstones(settings: Settings) -> set[str]:
    """Hashes of every handle of everybody who was erased."""
    path = tombstones_path(settings)
    if not path.exists():
        return set()
    content = path.read_bytes()
    complete = content[: content.rfind(b"\n") + 1]
    return {value for line in complete.splitlines() for value in json.loads(line)["hashes"]}


def append_tombstone(settings: Settings, erasure_id: str, at: str, hashes: Iterable[str]) -> None:
    """Add one line, durably; a line that a dead writer left half written is cut off first."""
    path = tombstones_path(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    line = {"erasure_id": erasure_id, "at": at, "hashes": sorted(hashes)}
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+b") as file:
        content = file.read()
        file.seek(content.rfind(b"\n") + 1)
        file.truncate()
        file.write(json.dumps(line).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
