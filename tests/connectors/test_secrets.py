"""What sources.yml and followers.yml take from the environment is written down nowhere."""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote, urlsplit

import boto3
import postgres_server
import pytest
from adbc_driver_postgresql import dbapi
from fetch_home import PATIENCE, project_with
from hubspot_api import HubSpot
from local_api import status
from moto.server import ThreadedMotoServer
from pydantic import BaseModel
from vendor_apis import Pipedrive, Salesforce
from werkzeug.wrappers import Request
from zendesk_api import Zendesk

from orchestration.connectors import entries as sources
from orchestration.demo.company import build_company
from orchestration.demo.parameters import HISTORY_MONTHS, add_months
from orchestration.followers import entries as followers
from orchestration.ingest.derived import sync_files
from orchestration.keys import hmac_blocks
from orchestration.settings import REPO_ROOT, Settings

sys.path.append(str(REPO_ROOT / "tests" / "pipeline"))

from searching import places_with

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

# One value per place where an entry may name a variable, and the two keys.
SECRETS = {
    "HUBSPOT_TOKEN": "canary-hubspot-token-5b1f",
    "DESK_USER": "canary-desk-user-77aa",
    "DESK_PASSWORD": "canary-desk-password-91c2",
    "PERSONS_TOKEN": "canary-persons-token-4c20",
    "SALES_ID": "canary-sales-id-b7e3",
    "SALES_SECRET": "canary-sales-secret-f09d",
    # what the API gives for the two
    "SALES_ACCESS": "canary-sales-access-1a6b",
    "LAKE_KEY": "canary-lake-key-0d3e",
    "LAKE_SECRET": "canary-lake-secret-c4f8",
    "BI_PASSWORD": "canary-bi-password-4e7d",
    "BI_WRONG_PASSWORD": "canary-bi-wrong-password-63b0",
    "SURVEY_PASSWORD": "canary-survey-password-a18c",
    "CMS_PASSWORD": "canary-cms-password-2f95",
    "MAIL_PASSWORD": "canary-mail-password-d6e1",
    "STORE_KEY": "canary-store-key-88b4",
    "STORE_SECRET": "canary-store-secret-17fa",
    "JOURNEYLINE_PSEUDONYM_KEY": "canary-pseudonym-key-3c9d-0123456789abcdef",
    "JOURNEYLINE_LEDGER_KEY": "canary-ledger-key-e52a-0123456789abcdef",
}
NAMED = {
    "BearerAuth.token_from",
    "HeaderAuth.token_from",
    "ClientCredentialsAuth.client_id_from",
    "ClientCredentialsAuth.client_secret_from",
    "BasicAuth.user_from",
    "BasicAuth.password_from",
    "DatabaseEntry.url_from",
    "StorageEntry.options_from",
    "EltEntry.url_from",
    "PostgresEntry.url_from",
    "ObjectsEntry.options_from",
}
_COMMAND = ("-m", "orchestration.cli", "--debug")
_FETCH_JOB = """
from orchestration.defs.assembly import assemble
from orchestration.defs.event_log import open_instance
from orchestration.defs.launch import prepare_instance
from orchestration.settings import Settings

settings = Settings.from_environment()
prepare_instance(settings)
with open_instance(settings) as instance:
    job = assemble(settings).resolve_job_def("fetch")
    job.execute_in_process(instance=instance, raise_on_error=False)
"""


def named_secrets() -> set[str]:
    """Every field of an entry that names an environment variable."""
    models = {
        *get_args(get_args(sources.Connector)[0]),
        *get_args(get_args(sources.Auth)[0]),
        *get_args(get_args(followers.Entry)[0]),
    }
    assert all(issubclass(model, BaseModel) for model in models)
    return {
        f"{model.__name__}.{field}"
        for model in models
        for field in model.model_fields
        if field.endswith("_from")
    }


def disguises(value: str) -> set[str]:
    """A secret as it may be written: as it is, quoted, in base64 or hexadecimal, half a hash."""
    content = value.encode()
    inner, outer = hmac_blocks(content)
    return {
        value,
        quote(value),
        base64.b64encode(content).decode().rstrip("=")[:-1],
        content.hex(),
        *(block.hex() for block in (inner, outer)),
        *(block.decode("ascii", errors="replace") for block in (inner, outer)),
    }


def wanted() -> set[str]:
    basic = f"{SECRETS['DESK_USER']}:{SECRETS['DESK_PASSWORD']}"
    return {text for value in (*SECRETS.values(), basic) for text in disguises(value)}


@pytest.fixture
def address() -> Iterator[str]:
    """A local S3 server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def follower_url(server: str) -> str:
    """A role of its own on the server, whose password is a canary."""
    password = SECRETS["BI_PASSWORD"]
    with closing(dbapi.connect(server)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(f"create role canary superuser login password '{password}'")
        connection.commit()
    place = urlsplit(server)
    return f"postgresql://canary:{password}@{place.hostname}:{place.port}{place.path}"


def connected(folder: Path, hubspot: HubSpot, desk: Zendesk, address: str) -> Settings:
    """A project in which each kind of connector has secrets; some of them reach nobody."""
    hubspot.api.header = ("Authorization", f"Bearer {SECRETS['HUBSPOT_TOKEN']}")
    basic = f"{SECRETS['DESK_USER']}:{SECRETS['DESK_PASSWORD']}".encode()
    desk.api.header = ("Authorization", f"Basic {base64.b64encode(basic).decode()}")
    hubspot.records["contacts"] = []
    desk.tables["groups"] = [{"id": 1, "name": "Desk", "updated_at": "2025-01-02T00:00:00Z"}]
    retry = PATIENCE | {"attempts": 1}
    bearer = {"kind": "bearer", "token_from": "HUBSPOT_TOKEN"}
    user = {"kind": "basic", "user_from": "DESK_USER", "password_from": "DESK_PASSWORD"}
    database = {"start_at": "2025-01-01", "tables": {"contents": {"table": "contents"}}}
    connectors: dict[str, dict[str, Any]] = {
        "hubspot": {"kind": "hubspot", "url": hubspot.api.url, "auth": bearer, "retry": retry,
                    "tables": {"contacts": {}}},
        "zendesk": {"kind": "zendesk", "url": desk.api.url, "auth": user, "retry": retry,
                    "tables": {"groups": {}}},
        "mailchimp": {"kind": "elt", "tool": "fivetran", "vendor": "mailchimp",
                      "url_from": "MAIL_URL", "schema_name": "mail", "tables": {"members": {}}},
        "segment": {"kind": "object_storage", "protocol": "s3",
                    "options": {"endpoint_url": address},
                    "options_from": {"key": "LAKE_KEY", "secret": "LAKE_SECRET"},
                    "tables": {"events": {"path": "no-such-bucket/events-*"}}},
        "surveys": {"kind": "postgresql", "url_from": "SURVEY_URL",
                    "tables": {"responses": {"table": "answers"}}},
        "cms": {"kind": "sqlalchemy", "url_from": "CMS_URL", **database},
    }  # fmt: skip
    for source, entry in connectors.items():
        settings = project_with(folder, source, entry)
    return settings


def connected_vendors(folder: Path, sales: Salesforce, persons: Pipedrive) -> Settings:
    """Two more, switched on, which let in by a header of their own and by a client's secret."""
    persons.api.header = ("x-api-token", SECRETS["PERSONS_TOKEN"])
    sales.api.header = ("Authorization", f"Bearer {SECRETS['SALES_ACCESS']}")
    sales.api.open_paths[Salesforce.TOKEN_PATH] = _granted
    header = {"kind": "header", "name": "x-api-token", "token_from": "PERSONS_TOKEN"}
    client = {
        "kind": "client_credentials",
        "token_path": Salesforce.TOKEN_PATH.lstrip("/"),
        "client_id_from": "SALES_ID",
        "client_secret_from": "SALES_SECRET",
    }
    connectors: dict[str, dict[str, Any]] = {
        "pipedrive": {"kind": "pipedrive", "url": persons.api.url, "auth": header,
                      "tables": {"persons": {}}},
        "salesforce": {"kind": "salesforce", "url": sales.api.url, "auth": client,
                       "tables": {"contacts": {}}},
    }  # fmt: skip
    for source, entry in connectors.items():
        retry = PATIENCE | {"attempts": 1}
        settings = project_with(folder, source, entry | {"retry": retry}, enabled=True)
    settings.dbt_project.unlink()
    shutil.copytree(REPO_ROOT / "dbt_project", settings.dbt_project)
    sync_files(settings)
    return settings


def _granted(request: Request) -> Any:
    given = {SECRETS["SALES_ID"], SECRETS["SALES_SECRET"]}
    if not given <= set(request.form.to_dict().values()):
        return status(401)
    return {"access_token": SECRETS["SALES_ACCESS"], "token_type": "Bearer"}


def followed(settings: Settings, address: str, folder: Path) -> None:
    """Followers that keep up, and two that cannot."""
    store = {"key": "STORE_KEY", "secret": "STORE_SECRET"}
    options = {"client_kwargs": {"endpoint_url": address}}
    nowhere = {
        "client_kwargs": {"endpoint_url": f"http://127.0.0.1:{closed_port()}"},
        "config_kwargs": {"retries": {"total_max_attempts": 1}},
    }
    listed = [
        {"kind": "postgresql", "name": "bi", "url_from": "BI_URL"},
        {"kind": "postgresql", "name": "bi_wrong", "url_from": "BI_WRONG_URL"},
        {"kind": "objects", "name": "store", "url": "s3://store/journeyline",
         "options": options, "options_from": store},
        {"kind": "objects", "name": "store_wrong", "url": "s3://store/journeyline",
         "options": nowhere, "options_from": store},
        {"kind": "csv", "name": "sheets", "path": str(folder / "sheets")},
    ]  # fmt: skip
    path = settings.config / "followers.yml"
    path.write_text(json.dumps({"followers": listed}), encoding="utf-8")


def test_every_place_for_a_secret_has_a_canary() -> None:
    assert named_secrets() == NAMED


def test_no_secret_is_written_to_anything_that_is_kept_or_said(
    tmp_path: Path, address: str
) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(postgres_server.running_server())
        hubspot, desk, sales, persons = HubSpot(), Zendesk(), Salesforce(), Pipedrive()
        for vendor in (hubspot, desk, sales, persons):
            stack.enter_context(closing(vendor.api))
        connected(tmp_path, hubspot, desk, address)
        settings = connected_vendors(tmp_path, sales, persons)
        followed(settings, address, tmp_path)
        boto3.resource("s3", endpoint_url=address, region_name="us-east-1",
                       aws_access_key_id="a", aws_secret_access_key="b").create_bucket(
                           Bucket="store")  # fmt: skip
        # Its nights begin this month: what is fetched arrives now, and each day between is a night.
        start = add_months(datetime.now(UTC).date().replace(day=1), -HISTORY_MONTHS)
        build_company(settings, customers=200, nights=1, seed=7, start=start)
        nowhere = f"127.0.0.1:{closed_port()}/nowhere"
        place = urlsplit(server).netloc.split("@")[1]
        environment = {
            **os.environ,
            **SECRETS,
            "PYTHONPATH": str(REPO_ROOT),
            "JOURNEYLINE_HOME": str(settings.home),
            "JOURNEYLINE_PROJECT": str(settings.repo_root),
            "DAGSTER_HOME": str(settings.dagster_home),
            "BI_URL": follower_url(server),
            "BI_WRONG_URL": f"postgresql://owner:{SECRETS['BI_WRONG_PASSWORD']}@{place}/postgres",
            "SURVEY_URL": f"postgresql://owner:{SECRETS['SURVEY_PASSWORD']}@{place}/postgres",
            "MAIL_URL": f"postgresql://mail:{SECRETS['MAIL_PASSWORD']}@{nowhere}",
            "CMS_URL": f"duckdb:////no/such/file.duckdb?password={SECRETS['CMS_PASSWORD']}",
        }
        said = [
            _said(environment, code, *command)
            for code, command in (
                (0, ("-c", _FETCH_JOB)),
                (1, (*_COMMAND, "sources", "check")),
                (1, (*_COMMAND, "sources", "fetch", "--json")),
                (0, (*_COMMAND, "run")),
                (1, (*_COMMAND, "releases", "follow", "--json")),
                (0, (*_COMMAND, "status", "--json")),
            )
        ]
    told = json.loads((settings.logs / "followers.json").read_text())
    assert {f["name"]: f["error"] is None for f in told} == {
        "bi": True, "bi_wrong": False, "store": True, "store_wrong": False, "sheets": True,
    }  # fmt: skip
    release_id = settings.current.resolve().name
    found = {place.split(":")[0].split("/")[0] for place in places_with(settings, [release_id])}
    assert found >= {"releases", "dagster", "logs"}
    assert all(vendor.api.asked for vendor in (hubspot, desk, sales, persons))
    assert any(one.path == Salesforce.TOKEN_PATH for one in sales.api.asked)
    assert places_with(settings, wanted(), without="nothing") == set()
    everything = "\n".join(said).lower()
    assert release_id.lower() in everything
    assert [text for text in sorted(wanted()) if text.lower() in everything] == []
    sheets = "\n".join(p.read_text() for p in (tmp_path / "sheets").rglob("*.csv"))
    assert [text for text in wanted() if text in sheets] == []


def _said(environment: dict[str, str], code: int, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command], env=environment, cwd=REPO_ROOT, capture_output=True, text=True
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr
