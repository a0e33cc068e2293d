"""Mailchimp's listings, reports and batches, as its API answers them."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from typing import Any

from local_api import LocalApi, status
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request, Response

AUTHORIZATION = "Basic " + base64.b64encode(b"any:key-us1").decode()
_NAMES = {
    "email-activity": "emails",
    "sent-to": "sent_to",
    "unsubscribed": "unsubscribes",
    "abuse-reports": "abuse_reports",
}


class Mailchimp:
    """Listings by their path below `3.0/`; batches answer with an archive after some polls."""

    def __init__(self) -> None:
        self.listings: dict[str, list[dict[str, Any]]] = {}
        self.batches: list[list[dict[str, Any]]] = []
        self.polls = 2
        self.failing_operations: list[int] = []
        self.api = LocalApi(self._answer, AUTHORIZATION)
        self._unsigned = self.api._permitted
        self.api._permitted = self._permitted  # type: ignore[method-assign]

    def _permitted(self, request: Request) -> Any:
        if request.path.startswith("/archive/"):
            assert "Authorization" not in request.headers
            return Response(self._archive(int(request.path.split("/")[-1])))
        return self._unsigned(request)

    def _answer(self, request: Request) -> Any:
        path = request.path.removeprefix("/3.0/")
        if path == "batches":
            self.batches.append(request.get_json()["operations"])
            return {"id": str(len(self.batches) - 1), "status": "pending"}
        if path.startswith("batches/"):
            return self._state(path.split("/")[1])
        return self._listed(path, request)

    def _state(self, batch: str) -> Any:
        if int(batch) >= len(self.batches):
            return status(404)
        self.polls -= 1
        if self.polls >= 0:
            return {"id": batch, "status": "started"}
        return {
            "id": batch,
            "status": "finished",
            "response_body_url": f"{self.api.url}/archive/{batch}",
        }

    def _listed(self, path: str, request: Request) -> Any:
        name = _NAMES.get(path.split("/")[-1], path.split("/")[-1])
        if path not in self.listings:
            return status(404)
        due = [record for record in self.listings[path] if _is_due(record, request.args)]
        offset, count = int(request.args.get("offset", 0)), int(request.args.get("count", 10))
        return {name: due[offset : offset + count], "total_items": len(due), "_links": []}

    def _archive(self, batch: int) -> bytes:
        answers = []
        for number, one in enumerate(self.batches[batch]):
            if number in self.failing_operations:
                self.failing_operations.remove(number)
                code, body = 500, '{"status": 500}'
            else:
                request = Request(EnvironBuilder(query_string=one["params"]).get_environ())
                found = self._listed(one["path"].lstrip("/"), request)
                code = found.status_code if isinstance(found, Response) else 200
                body = "{}" if isinstance(found, Response) else json.dumps(found)
            answers.append(
                {"status_code": code, "operation_id": one["operation_id"], "response": body}
            )
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            archive.addfile(tarfile.TarInfo("./"))
            text = json.dumps(answers).encode()
            file = tarfile.TarInfo("./abc-0.json")
            file.size = len(text)
            archive.addfile(file, io.BytesIO(text))
        return packed.getvalue()


def _is_due(record: dict[str, Any], args: Any) -> bool:
    changed = record.get("last_changed", "")
    sent = record.get("send_time", "")
    return (
        (not changed or args.get("since_last_changed", "") <= changed)
        and (not changed or changed < args.get("before_last_changed", "9"))
        and (not sent or args.get("since_send_time", "") <= sent)
    )
