"""The REST client that all vendors share: dlt's client, paginators and auth.

dlt only extracts here: it signs, asks, waits and repeats. Nothing of it touches a record, and
neither a secret nor a body nor a query stands in what is raised.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests

from orchestration.connectors.entries import (
    BasicAuth,
    ClientCredentialsAuth,
    HeaderAuth,
    RestEntry,
)
from orchestration.connectors.raw_json import slice_records
from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.settings import variable

if TYPE_CHECKING:
    from dlt.sources.helpers.rest_client.paginators import BasePaginator

_AGENT = "journeyline"
_CONNECT_SECONDS = 10.0


class Refused(Exception):
    """The API answered a request with an error that repeating does not heal.

    Args:
        status: The answer's HTTP status.
        where: Host and path of the request.
    """

    def __init__(self, status: int, where: str) -> None:
        self.status = status
        self.where = where
        super().__init__(f"{where} answered {status}")

    def as_error(self) -> JourneylineError:
        """The same for a person, where nothing else explains it."""
        return JourneylineError(
            f"The API refuses the request ({self.status}).",
            self.where,
            "Look whether the entry's url and table are right for this account.",
        )


@dataclass(frozen=True)
class Answer:
    """One answer of the API: its text, and the same parsed."""

    text: str
    body: Any

    def records(self, *path: str) -> list[str]:
        """The records at a path, character by character as answered.

        Raises:
            JourneylineError: Something else than records stands there.
        """
        try:
            return slice_records(self.text, *path)
        except ValueError as error:
            raise JourneylineError(
                f"The API's answer has another form than expected: {error}.",
                next_step="Look whether the url of the entry is right.",
            ) from None


class Api:
    """A signed, patient client of one API."""

    def __init__(self, entry: RestEntry) -> None:
        os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
        from dlt.common.configuration.specs import RuntimeConfiguration
        from dlt.sources.helpers.requests import Client
        from dlt.sources.helpers.rest_client.client import RESTClient

        retry = entry.retry
        client = Client(
            request_timeout=(min(_CONNECT_SECONDS, retry.timeout_seconds), retry.timeout_seconds),
            raise_for_status=False,
            request_max_attempts=retry.attempts,
            request_backoff_factor=retry.backoff_seconds,
            request_max_retry_delay=retry.max_wait_seconds,
        )
        session = client.session
        session.headers["User-Agent"] = _AGENT
        # A redirect could carry the secret to another host, or turn a POST into a GET.
        session.max_redirects = 0
        self._entry = entry
        self._host = urlsplit(entry.url).netloc
        self._client = RESTClient(
            base_url=entry.url,
            auth=_sign(entry, session),
            session=session,
            config=RuntimeConfiguration(),
        )

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Answer:
        """Ask for one answer."""
        with _explained(self._where(path)):
            response = self._client.get(path, params=dict(params or {}))
            return _answer(response)

    def post(self, path: str, body: Mapping[str, Any]) -> Answer:
        """Ask with a body; for reading endpoints only, so that a repetition does no harm."""
        with _explained(self._where(path)):
            response = self._client.post(path, json=dict(body))
            return _answer(response)

    def download(self, url: str) -> bytes:
        """The bytes at an address that the API gave, asked for without the API's secret."""
        where = urlsplit(url).netloc
        with _explained(where):
            response = self._client.session.get(url)
            if response.status_code in (401, 403):
                # The address itself was the permission, and it is over.
                raise Refused(response.status_code, where)
            response.raise_for_status()
            return bytes(response.content)

    def pages(
        self,
        path: str,
        paginator: BasePaginator,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Iterator[Answer]:
        """Ask for page after page, as the paginator says."""
        with _explained(self._where(path)):
            for page in self._client.paginate(
                path,
                method="GET" if body is None else "POST",
                params=dict(params or {}),
                json=None if body is None else dict(body),
                paginator=paginator,
                data_selector="$",
            ):
                yield _answer(page.response)

    def _where(self, path: str) -> str:
        return f"{self._host}/{path.lstrip('/')}"


def _answer(response: requests.Response) -> Answer:
    response.raise_for_status()
    body = response.json()
    if not isinstance(body, dict):
        raise JourneylineError(
            "The API's answer has another form than expected: it is no object.",
            urlsplit(response.url).netloc + urlsplit(response.url).path,
            "Look whether the url of the entry is right.",
        )
    # JSON is UTF-8; requests would guess where the header does not say so.
    return Answer(response.content.decode("utf-8"), body)


def epoch_seconds(instant: datetime) -> int:
    """Whole seconds since 1970 of an instant with its zone."""
    return int(instant.timestamp())


def since_of(cursor: Mapping[str, Any] | None, entry: RestEntry) -> datetime | None:
    """Where a fetch begins: the last one's start less the overlap; None means at the beginning."""
    if cursor is None or "since" not in cursor:
        return entry.start_at
    since = datetime.fromisoformat(str(cursor["since"])).timestamp() - entry.overlap_minutes * 60
    return datetime.fromtimestamp(since, UTC)


def _sign(entry: RestEntry, session: Any) -> Any:
    from dlt.sources.helpers.rest_client import auth as signing

    auth = entry.auth
    if isinstance(auth, BasicAuth):
        user = auth.user if auth.user is not None else secret(auth.user_from or "")
        return signing.HttpBasicAuth(user, secret(auth.password_from))  # type: ignore[arg-type]
    if isinstance(auth, HeaderAuth):
        return signing.APIKeyAuth(auth.name, secret(auth.token_from))  # type: ignore[arg-type]
    if isinstance(auth, ClientCredentialsAuth):
        return signing.OAuth2ClientCredentials(
            access_token_url=f"{entry.url.rstrip('/')}/{auth.token_path.lstrip('/')}",
            client_id=secret(auth.client_id_from),  # type: ignore[arg-type]
            client_secret=secret(auth.client_secret_from),  # type: ignore[arg-type]
            session=session,
        )
    return signing.BearerTokenAuth(secret(auth.token_from))  # type: ignore[arg-type]


def secret(name: str) -> str:
    """The secret in an environment variable.

    Raises:
        JourneylineError: The variable is not set (exit 2).
    """
    value = variable(name)
    if value is None:
        raise JourneylineError(
            f"The environment variable {name} is not set.",
            where="orchestration/config/sources.yml names it",
            next_step=f"Set {name} where the pipeline runs; it holds the source's secret.",
            exit_code=EXIT_USAGE,
        )
    return value


class _explained:
    """Turns what requests raises into an error a person can act on."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, requests.HTTPError) and error.response is not None:
            raise _answered(error.response.status_code, self._where) from None
        if isinstance(error, requests.exceptions.JSONDecodeError | UnicodeDecodeError):
            what, then = (
                "The API's answer is no JSON.",
                "Look whether the url of the entry is right",
            )
        elif isinstance(error, requests.Timeout):
            what, then = "The API did not answer in time.", "Fetch again later"
        elif isinstance(error, requests.TooManyRedirects):
            what, then = "The API sends us elsewhere.", "Put the address it moved to into the entry"
        elif isinstance(error, requests.RequestException):
            what, then = "The API cannot be reached.", "Look at the network and the entry's url"
        else:
            return
        raise JourneylineError(
            what, self._where, f"{then}; pages taken so far are kept for the next fetch."
        ) from None


def _answered(status: int, where: str) -> Exception:
    if status in (401, 403):
        return JourneylineError(
            f"The API does not let us in ({status}).",
            where,
            "Look whether the environment variable of the entry holds a valid secret, and whether "
            "its rights cover this table.",
        )
    if status == 429 or status >= 500:
        return JourneylineError(
            f"The API kept answering {status}.",
            where,
            "Fetch again later; pages taken so far are kept.",
        )
    return Refused(status, where)
