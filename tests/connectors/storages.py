"""Object storages that run here, each with one bucket: what the tests put, read and open them with.

S3 is moto's server. Azure's is Azurite, which proves each request's signature. Google's is an
emulator that lets everyone in, so a gate stands before it that gives tokens for a service account's
signature and lets in who brings one.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import emulators
import pytest
import requests
from local_api import LocalApi
from werkzeug.wrappers import Request, Response

BUCKET = "lake"
ACCOUNT = "lakeaccount"
STARTED_WITHIN_SECONDS = 60


@dataclass(frozen=True)
class Storage:
    """A storage with an empty bucket.

    Args:
        protocol: fsspec's name of it.
        options: Options of an entry that are no secret.
        options_from: Options of an entry that stand in the environment.
        secrets: The environment that lets in.
        wrong: An environment that does not.
        told: Parts of the secrets that nothing may show.
        put: Writes an object.
        read: Everything in the bucket by its path.
        empty: Deletes everything in the bucket.
    """

    protocol: str
    options: dict[str, Any]
    options_from: dict[str, str]
    secrets: dict[str, str]
    wrong: dict[str, str]
    told: tuple[str, ...]
    put: Callable[[str, bytes], None]
    read: Callable[[], dict[str, bytes]]
    empty: Callable[[], None]


def running(protocol: str) -> AbstractContextManager[Storage]:
    """The storage of a protocol, started; skips where its emulator cannot be had."""
    return {"s3": _running_s3, "az": _running_azure, "gs": _running_google}[protocol]()


@contextmanager
def _running_s3() -> Iterator[Storage]:
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    keys = {"LAKE_KEY": "lake-key", "LAKE_SECRET": "lake-secret"}
    bucket = boto3.resource(
        "s3",
        endpoint_url=address,
        region_name="us-east-1",
        aws_access_key_id=keys["LAKE_KEY"],
        aws_secret_access_key=keys["LAKE_SECRET"],
    ).create_bucket(Bucket=BUCKET)
    yield Storage(
        "s3",
        {"endpoint_url": address, "config_kwargs": {"retries": {"total_max_attempts": 1}}},
        {"key": "LAKE_KEY", "secret": "LAKE_SECRET"},
        keys,
        # moto lets everyone in.
        {},
        ("lake-secret",),
        lambda path, body: bucket.put_object(Key=path, Body=body),
        lambda: {found.key: found.get()["Body"].read() for found in bucket.objects.all()},
        lambda: bucket.objects.all().delete(),
    )
    server.stop()


@contextmanager
def _running_azure() -> Iterator[Storage]:
    with _libraries(), ExitStack() as stack:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        key, wrong = (base64.b64encode(text).decode() for text in (b"lake-key" * 8, b"other" * 8))
        stack.enter_context(_azurite(port, key))
        from azure.storage.blob import BlobServiceClient

        told = (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={{}};"
            f"BlobEndpoint=http://127.0.0.1:{port}/{ACCOUNT};"
        )
        service = BlobServiceClient.from_connection_string(told.format(key))
        bucket = service.create_container(BUCKET)
        stack.callback(service.close)

        def empty() -> None:
            for found in list(bucket.list_blobs()):
                bucket.delete_blob(found.name)

        yield Storage(
            "az",
            {},
            {"connection_string": "LAKE_CONNECTION"},
            {"LAKE_CONNECTION": told.format(key)},
            {"LAKE_CONNECTION": told.format(wrong)},
            (key, wrong),
            lambda path, body: bucket.upload_blob(path, body, overwrite=True) and None,
            lambda: {
                b.name: bucket.download_blob(b.name).readall()
                for b in bucket.list_blobs()
                if b.size or not b.metadata
            },
            empty,
        )


@contextmanager
def _azurite(port: int, key: str) -> Iterator[None]:
    options = [
        "--blobHost",
        "127.0.0.1",
        "--blobPort",
        str(port),
        "--inMemoryPersistence",
        "--disableTelemetry",
        "--silent",
        "--skipApiVersionCheck",
    ]
    server = subprocess.Popen(
        ["node", str(emulators.STARTER), *options],
        env={**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{key}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + STARTED_WITHIN_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                assert server.poll() is None and time.monotonic() < until, "Azurite did not start"
                time.sleep(0.05)
        yield
    finally:
        server.terminate()
        server.wait()


@contextmanager
def _running_google() -> Iterator[Storage]:
    with _libraries(), pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        # The emulator does not speak gRPC, by which gcsfs would ask for the kind of the bucket.
        patch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
        from gcp_storage_emulator.server import create_server

        server = create_server("127.0.0.1", 0, in_memory=True, default_bucket=BUCKET)
        server.start()
        stack.callback(server.stop)
        host, port = server._api._httpd.server_address
        inner = f"http://{host}:{port}"
        gate = LocalApi(lambda request: _passed_on(request, inner), "Bearer lake-access-token")
        stack.callback(gate.close)
        account, wrong = _service_accounts(gate)
        objects = f"{inner}/storage/v1/b/{BUCKET}/o"

        def listed() -> list[str]:
            return [item["name"] for item in requests.get(objects).json().get("items", [])]

        def put(path: str, body: bytes) -> None:
            query = {"uploadType": "media", "name": path}
            address = f"{inner}/upload/storage/v1/b/{BUCKET}/o"
            requests.post(address, params=query, data=body).raise_for_status()

        def empty() -> None:
            for name in listed():
                requests.delete(f"{objects}/{quote(name, safe='')}").raise_for_status()

        yield Storage(
            "gs",
            {"endpoint_url": gate.url, "project": "lake-project"},
            {"token": "LAKE_ACCOUNT"},
            {"LAKE_ACCOUNT": account},
            {"LAKE_ACCOUNT": wrong},
            ("lake-access-token", *json.loads(account)["private_key"].splitlines()[1:-1]),
            put,
            lambda: {
                name: requests.get(f"{objects}/{quote(name, safe='')}?alt=media").content
                for name in listed()
            },
            empty,
        )


def _service_accounts(gate: LocalApi) -> tuple[str, str]:
    """Two service accounts' keys; the tokens for the second let in nowhere."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from google.auth import jwt

    def made(number: int) -> str:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        text = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        keys.append(public)
        account = {
            "type": "service_account",
            "project_id": "lake-project",
            "private_key_id": f"lake-key-{number}",
            "private_key": text,
            "client_email": "reader@lake-project.example.com",
            "client_id": "1",
            "token_uri": f"{gate.url}/token",
        }
        return json.dumps(account)

    keys: list[bytes] = []
    account, wrong = made(1), made(2)

    def token(request: Request) -> Any:
        # Google's libraries always name Google as the audience, whoever gives the token.
        google = "https://oauth2.googleapis.com/token"
        try:
            jwt.decode(request.form["assertion"], certs=keys[0], audience=google)
            access = "lake-access-token"
        except ValueError:
            access = "token-without-rights"
        return {"access_token": access, "expires_in": 3600, "token_type": "Bearer"}

    gate.open_paths["/token"] = token
    return account, wrong


def _passed_on(request: Request, inner: str) -> Response:
    dropped = {"authorization", "accept-encoding", "connection"}
    headers = {n: v for n, v in request.headers.items() if n.lower() not in dropped}
    address = inner + request.environ["REQUEST_URI"]
    found = requests.request(request.method, address, headers=headers, data=request.get_data())
    kept = {n: v for n, v in found.headers.items() if n.lower() not in ("date", "server")}
    return Response(found.content, found.status_code, kept)


@contextmanager
def _libraries() -> Iterator[None]:
    """The libraries of both storages; those that the project has itself come first."""
    folder: Path | None = emulators.installed_emulators()
    if folder is None:
        pytest.skip(emulators.REASON)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path, str(folder)])
        yield
