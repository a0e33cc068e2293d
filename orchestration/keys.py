"""The two secret keys and the keyed hash built on them (HMAC-SHA256, RFC 2104)."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.settings import Settings

MINIMUM_LENGTH = 32
PSEUDONYM_LENGTH = 32
_BLOCK = 64
_PSEUDONYM_FILE = "pseudonym.key"


def pseudonym_key(settings: Settings) -> bytes:
    """The key that pseudonyms of direct identifiers are made with.

    Raises:
        JourneylineError: The key is too short, or its file went missing after first use.
    """
    return _key(settings, settings.pseudonym_key, _PSEUDONYM_FILE, "JOURNEYLINE_PSEUDONYM_KEY")


def ledger_key(settings: Settings) -> bytes:
    """The key that customer ids and tombstones are made with; never rotated.

    Raises:
        JourneylineError: The key is too short, or its file went missing after first use.
    """
    return _key(settings, settings.ledger_key, "ledger.key", "JOURNEYLINE_LEDGER_KEY")


def pseudonym_key_mark(settings: Settings) -> str:
    """What tells one pseudonym key from another and says nothing of it; empty before first use."""
    is_known = settings.pseudonym_key is not None or (settings.keys / _PSEUDONYM_FILE).exists()
    return pseudonym(pseudonym_key(settings), "the mark of this key") if is_known else ""


def pseudonym(key: bytes, value: str) -> str:
    """The first 32 hex characters of HMAC-SHA256(key, value), as dbt's macro of that name."""
    return hmac.new(key, value.encode(), hashlib.sha256).hexdigest()[:PSEUDONYM_LENGTH]


def hmac_blocks(key: bytes) -> tuple[bytes, bytes]:
    """The inner and outer padded key blocks of HMAC, so that SQL can do the rest set-based."""
    block = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
    return bytes(b ^ 0x36 for b in block), bytes(b ^ 0x5C for b in block)


def _key(settings: Settings, given: str | None, file_name: str, variable: str) -> bytes:
    if given is not None:
        return _checked(given, variable)
    path = settings.keys / file_name
    if path.exists():
        return _checked(path.read_text(encoding="ascii").strip(), str(path))
    if _was_used(settings):
        raise JourneylineError(
            f"The key {file_name} is missing, and this home was built with one.",
            where=str(path),
            next_step=f"Restore the file, or set {variable} to the key that was used. A new key "
            "would give every customer another id or pseudonym.",
            exit_code=EXIT_USAGE,
        )
    _write_key(path)
    return _checked(path.read_text(encoding="ascii").strip(), str(path))


def _was_used(settings: Settings) -> bool:
    ledger = settings.identity / "ledger"
    return (ledger.is_dir() and any(ledger.iterdir())) or settings.current.is_symlink()


def _checked(value: str, where: str) -> bytes:
    if len(value) < MINIMUM_LENGTH:
        raise JourneylineError(
            f"A key needs at least {MINIMUM_LENGTH} characters, this one has {len(value)}.",
            where=where,
            next_step="Use a longer random string.",
            exit_code=EXIT_USAGE,
        )
    return value.encode()


def _write_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_suffix(".tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32) + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
