"""An HTTP server on the loopback that a vendor's API is written for, and the faults it can have."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

Answerer = Callable[[Request], Any]


@dataclass(frozen=True)
class Asked:
    """A request as it came in."""

    method: str
    path: str
    args: dict[str, str]
    body: Any


class _Quiet(WSGIRequestHandler):
    """Answers without a line in the log."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        return None


class LocalApi:
    """Serves one vendor's API; `faults[n]` answers the n-th request instead of the vendor."""

    def __init__(self, answer: Answerer, authorization: str) -> None:
        self.asked: list[Asked] = []
        self.faults: dict[int, Answerer] = {}
        # Paths that answer whoever asks, such as the one that gives tokens.
        self.open_paths: dict[str, Answerer] = {}
        self._answer = answer
        # Header that lets a request in, and its value.
        self.header = ("Authorization", authorization)
        self._server = make_server(
            "127.0.0.1", 0, self._application, threaded=True, request_handler=_Quiet
        )
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _application(self, environment: Any, start: Any) -> Any:
        request = Request(environment)
        body = request.get_json(silent=True) if request.method == "POST" else None
        self.asked.append(Asked(request.method, request.path, request.args.to_dict(), body))
        fault = self.faults.pop(len(self.asked), None)
        found = fault(request) if fault is not None else None
        if found is None:
            found = self._permitted(request)
        return as_response(found)(environment, start)

    def _permitted(self, request: Request) -> Any:
        if request.path in self.open_paths:
            return self.open_paths[request.path](request)
        name, value = self.header
        if request.headers.get(name) != value:
            return status(401)
        return self._answer(request)


def as_response(found: Any) -> Response:
    if isinstance(found, Response):
        return found
    return Response(json.dumps(found), mimetype="application/json")


def status(code: int, body: str = '{"error":"x"}', **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(body, status=code, headers=named, mimetype="application/json")


def failing(code: int) -> Answerer:
    return lambda request: status(code)


def stalling(seconds: float) -> Answerer:
    def stall(request: Request) -> None:
        time.sleep(seconds)

    return stall


def cut_off(request: Request) -> Response:
    """An answer that promises more bytes than it has."""
    response = Response('{"tickets": [', mimetype="application/json")
    response.headers["Content-Length"] = "5000"
    response.automatically_set_content_length = False
    return response


class BusyUntil:
    """429 until the time it names in Retry-After has passed; counts who came too early."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._free_at: float | None = None
        self.early = 0

    def __call__(self, request: Request) -> Response:
        self._free_at = time.monotonic() + self._seconds
        return status(429, Retry_After=str(self._seconds))

    def then(self, request: Request) -> None:
        assert self._free_at is not None
        self.early += time.monotonic() < self._free_at
