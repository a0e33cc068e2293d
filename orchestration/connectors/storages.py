"""Opening an object storage through fsspec: what it is asked with, and what may be told of it.

Belongs here: options and secrets of an entry as the storage's library takes them, and an error's
text without the secrets. S3, Google Cloud Storage and Azure each have a library of their own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.connectors.rest import secret
from orchestration.errors import EXIT_USAGE, JourneylineError

# fsspec's name of a storage, the library behind it, and the extra of this project that has it.
LIBRARIES = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs"}
EXTRAS = {"gs": "gcs", "az": "azure"}
_SHORTEST_SECRET = 8


@dataclass(frozen=True)
class Access:
    """How a storage is opened.

    Args:
        options: What fsspec takes, secrets included.
        secrets: The texts that nothing may show.
    """

    options: dict[str, Any]
    secrets: tuple[str, ...]

    def hidden(self, text: str) -> str:
        """The text without any secret."""
        for value in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(value, "…")
        return text


def access(protocol: str, options: Mapping[str, Any], options_from: Mapping[str, str]) -> Access:
    """Options and secrets of an entry, asked anew: no listing and no connection is remembered.

    Args:
        protocol: fsspec's name of the storage.
        options: Options that are no secret.
        options_from: Options whose values stand in environment variables. Google's `token` may
            be a service account's key as JSON, as its console gives it.

    Raises:
        JourneylineError: A variable is not set, or holds what cannot be a key (exit 2).
    """
    texts = {name: secret(variable) for name, variable in options_from.items()}
    given: dict[str, Any] = dict(texts)
    if protocol == "gs" and texts.get("token", "").lstrip().startswith("{"):
        # As a text gcsfs would take it for an access token, and send it away to have it looked at.
        given["token"] = _service_account(texts["token"], options_from["token"])
    fresh = {"skip_instance_cache": True, "use_listings_cache": False}
    return Access({**fresh, **options, **given}, tuple(_pieces(texts.values())))


def missing_library(protocol: str, where: str) -> JourneylineError:
    """The error of a storage whose library is not installed."""
    library = LIBRARIES.get(protocol, protocol)
    extra = EXTRAS.get(protocol)
    step = f"Add {library} to requirements.in, type `make pins`, and install."
    if extra is not None:
        step = f"Type `.venv/bin/python -m pip install -e '.[{extra}]' -c requirements.txt`."
    return JourneylineError(f"{library} is not installed.", where, step)


def _service_account(text: str, variable: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(text)
    except ValueError:
        raise JourneylineError(
            f"The environment variable {variable} holds no service account's key.",
            where="the JSON in it cannot be read",
            next_step="Give the whole file that Google made, or the path of that file.",
            exit_code=EXIT_USAGE,
        ) from None
    return found


def _pieces(secrets: Iterable[str]) -> set[str]:
    """The secrets, and the parts of a connection string or a key that a library may show alone."""
    found = set()
    for text in secrets:
        found.add(text)
        for part in re.split(r"[;&\s\"]+|\\n", text):
            found |= {part, part.partition("=")[2]}
    return {part for part in found if len(part) >= _SHORTEST_SECRET and "://" not in part} | set(
        text for text in secrets if text
    )
