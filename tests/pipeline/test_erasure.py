"""A person who was erased is in nothing that is kept, and nothing brings them back."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from built_company import Built
from searching import places_with

sys.path.append(str(Path(__file__).resolve().parents[1] / "connectors"))
sys.path.append(str(Path(__file__).resolve().parents[1] / "unit"))

import postgres_server
from test_ingest_formats import as_workbook

from orchestration import warehouse
from orchestration.errors import JourneylineError
from orchestration.followers.following import follow_all, last_following
from orchestration.ingest.landing import land_file, list_deliveries
from orchestration.keys import pseudonym, pseudonym_key
from orchestration.pipeline import steps
from orchestration.pipeline.night import run_nights
from orchestration.privacy import screening
from orchestration.privacy.erasing import erase_person
from orchestration.privacy.exporting import export_person
from orchestration.privacy.handles import read_tombstones
from orchestration.publish import journal
from orchestration.publish.publisher import LEFT_BEHIND
from orchestration.publish.releases import list_releases, rollback, show_release, verify_release
from orchestration.settings import Settings

CANARY = "canary.zebulon@cage.example"
NAMES = ("Zebulonicus", "Canaryworth")
PHONE = "+4915799887766"
CONTACT = "990011223344"
USER = "usr_CANARY01"
WORKBOOK = "property: format\n    value: xlsx"
COMMENT = 99887766
CANARIES = (CANARY, *NAMES, PHONE, PHONE[1:], CONTACT, USER)


def contact() -> dict[str, object]:
    """A contact of the CRM with something to find in each field."""
    return {
        "id": CONTACT,
        "properties": {
            "email": CANARY.upper(),
            "firstname": NAMES[0],
            "lastname": NAMES[1],
            "phone": PHONE,
            "app_user_id": USER,
            "lastmodifieddate": "2025-07-02T10:00:00.000Z",
            "createdate": "2025-07-01T10:00:00.000Z",
        },
        "createdAt": "2025-07-01T10:00:00.000Z",
        "updatedAt": "2025-07-02T10:00:00.000Z",
        "archived": False,
    }


def like(settings: Settings, table: str, change: dict[str, object]) -> str:
    """A delivered row of a table with other values, as a line."""
    source, entity = table.split("/")
    found = [d for d in list_deliveries(settings) if (d.source, d.entity) == (source, entity)]
    for row in screening.rows_of(found[0], None):
        record = json.loads(row.text)
        if all(record.get(name) is not None for name in change):
            return json.dumps(record | change)
    raise AssertionError(f"{table} has no row with {sorted(change)}")


def workbook_of_mails(settings: Settings) -> bytes:
    """The marketing mails of the CRM as a workbook, which their contract says from now on."""
    path = settings.contracts / "sources" / "hubspot.email_events.odcs.yaml"
    text = path.read_text(encoding="utf-8")
    assert "property: format\n    value: ndjson" in text
    path.write_text(text.replace("property: format\n    value: ndjson", WORKBOOK), encoding="utf-8")
    header = ["id", "created", "type", "recipient", "subject"]
    mails = [
        [number, "2025-07-01T10:00:00Z", "SENT", address, f"Dear {name}"]
        for number, (address, name) in enumerate([(CANARY, NAMES[0]), ("b@x.example", "B")])
    ]
    return as_workbook([header, *mails])


@pytest.fixture
def with_canary(
    built_home: Settings, project_copy: Callable[[Settings], Settings], tmp_path: Path
) -> Settings:
    """The company with one more person in four sources, in quarantine, and in two releases."""
    built_home = project_copy(built_home)
    at = max(d.received_at for d in list_deliveries(built_home))
    lines = {
        "hubspot/contacts": [json.dumps(contact()), '{"id": "broken", "note": "' + CANARY + '"'],
        "segment/events": [
            like(
                built_home,
                "segment/events",
                {"userId": USER, "messageId": f"m{n}", "anonymousId": "a1"},
            )
            for n in range(3)
        ],
        "zendesk/comments": [
            like(
                built_home,
                "zendesk/comments",
                {"id": COMMENT, "body": f"Please write to {CANARY}, says {NAMES[0]}."},
            )
        ],
    }
    for table, rows in lines.items():
        source, entity = table.split("/")
        file = tmp_path / f"{entity}.ndjson.gz"
        file.write_bytes(gzip.compress(("\n".join(rows) + "\n").encode()))
        land_file(built_home, source, entity, file, at + timedelta(minutes=1))
    file = tmp_path / "email_events.xlsx"
    file.write_bytes(workbook_of_mails(built_home))
    land_file(built_home, "hubspot", "email_events", file, at + timedelta(minutes=1))
    kept = built_home.connectors / "hubspot" / "contacts" / "fetching"
    kept.mkdir(parents=True)
    (kept / "page-1.json").write_text(lines["hubspot/contacts"][0], encoding="utf-8")
    report = run_nights(built_home)
    assert report.publication is not None
    assert report.publication.published
    assert len(list_releases(built_home)) == 2
    return built_home


def reworded(line: str) -> str:
    """The same record in other bytes."""
    try:
        return json.dumps(json.loads(line), sort_keys=True) + "\n"
    except ValueError:
        return line + "\n"


def places_with_canaries(settings: Settings) -> set[str]:
    """Where anything of the person is found, under the home folder but `truth/`."""
    return places_with(settings, CANARIES)


def everything_published(settings: Settings) -> str:
    """All rows of all kept releases, as text."""
    published = sorted(settings.releases.glob("*/parquet/*/*.parquet"))
    assert published
    return str([duckdb.read_parquet(str(path)).fetchall() for path in published])


@pytest.mark.slow
def test_a_person_who_was_erased_is_found_nowhere_and_does_not_come_back(
    with_canary: Settings, tmp_path: Path
) -> None:
    settings = with_canary
    before = places_with_canaries(settings)
    assert {place.split("/")[0].split(":")[0] for place in before} >= {
        "landing",
        "warehouse.duckdb",
    }
    held = export_person(settings, CANARY)
    assert set(held["delivered"]) == {
        "hubspot/contacts",
        "hubspot/email_events",
        "segment/events",
        "zendesk/comments",
    }
    assert held["published"]["dim_customers"]
    (customer_id,) = held["person"]["customer_ids"]
    # An agent's comment on somebody else's ticket names the person: it goes, the ticket stays.
    comment = pseudonym(pseudonym_key(settings), f"zendesk/comments/{COMMENT}")
    assert comment in everything_published(settings)
    copies = {d.label: d.file.read_bytes() for d in list_deliveries(settings)}
    originals = {release.release_id for release in list_releases(settings)}
    current = settings.current.resolve().name

    receipt = erase_person(settings, USER, by="ada", reason="request 17")
    assert places_with_canaries(settings) == set()
    assert (receipt.erased_rows, receipt.deliveries) == (7, 4)
    twin = receipt.releases[current]
    assert settings.current.resolve().name == twin
    assert not originals & set(receipt.releases) & {r.release_id for r in list_releases(settings)}
    for release in list_releases(settings):
        verify_release(settings, release.release_id)
    assert show_release(settings)["redacts"] == current
    # The ledger's backup beside them keeps ids that name nobody any more, as the ledger does.
    published = everything_published(settings)
    assert customer_id not in published
    assert comment not in published

    run_nights(settings)
    assert places_with_canaries(settings) == set()
    with closing(warehouse.connect(settings.warehouse, read_only=True)) as connection:
        assert connection.execute(
            "select sum(erased_count), bool_and(landed_count = accepted_count + quarantined_count "
            "+ duplicate_count + erased_count) from ingest.deliveries"
        ).fetchall() == [(7, True)]

    # The same content again, the same rows in another delivery, a rollback, a full refresh.
    at = max(d.received_at for d in list_deliveries(settings))
    for label, content in copies.items():
        source, entity, _ = label.split("/")
        if CONTACT.encode() in (
            gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
        ):
            file = tmp_path / "again" / f"{entity}.ndjson.gz"
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(content)
            land_file(settings, source, entity, file, at + timedelta(minutes=2))
            lines = gzip.decompress(content).decode().splitlines()
            file.write_bytes(gzip.compress("".join(map(reworded, lines)).encode()))
            land_file(settings, source, entity, file, at + timedelta(minutes=3))
    run_nights(settings)
    assert places_with_canaries(settings) == set()
    rollback(settings, by="ada", reason="test")
    assert places_with_canaries(settings) == set()
    report = run_nights(settings, full_refresh=True)
    assert places_with_canaries(settings) == set()
    # Byte for byte what the rollback left behind, so it is not published again.
    assert report.publication is not None
    assert report.publication.reason == LEFT_BEHIND


@pytest.mark.slow
def test_a_person_who_was_erased_is_in_no_dump_of_the_follower(
    with_canary: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = with_canary
    entry = {"kind": "postgresql", "name": "bi", "url_from": "BI_URL"}
    (settings.config / "followers.yml").write_text(json.dumps({"followers": [entry]}))
    with postgres_server.running_server() as url:
        monkeypatch.setenv("BI_URL", url)
        assert [following.error for following in follow_all(settings)] == [None]
        (customer_id,) = export_person(settings, CANARY)["person"]["customer_ids"]
        wanted = (*CANARIES, customer_id)
        before = dumped(url)
        assert {text for text in wanted if text.lower() in before} >= {CONTACT, customer_id}
        erase_person(settings, CANARY, by="ada", reason="request 17")
        assert [f.is_behind for f in last_following(settings)] == [False]
        after = dumped(url)
    assert "dim_customers_s1" in after and settings.current.resolve().name.lower() in after
    assert [text for text in wanted if text.lower() in after] == []


def dumped(url: str) -> str:
    """Everything on the server: all databases, roles and rows."""
    program = postgres_server.binaries() / "pg_dumpall"
    environment = {**os.environ, "PGPASSWORD": postgres_server.PASSWORD}
    done = subprocess.run([program, "-d", url], capture_output=True, check=True, env=environment)
    return done.stdout.decode("utf-8").lower()


@pytest.mark.slow
def test_an_erasure_that_died_is_carried_out_by_the_next_run(
    with_canary: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PowerCut(BaseException):
        """Not an error that anything may handle."""

    def cut(*arguments: object) -> None:
        raise PowerCut

    with monkeypatch.context() as patch:
        patch.setattr("orchestration.privacy.screening.replace_deliveries", cut)
        with pytest.raises(PowerCut):
            erase_person(with_canary, CANARY, by="ada", reason="request 17")
    assert places_with_canaries(with_canary)
    steps.prepare(with_canary)
    assert places_with_canaries(with_canary) == set()
    acts = (with_canary.landing / "acts.ndjson").read_text().splitlines()
    assert [json.loads(line)["act"] for line in acts] == ["erase"]
    assert journal.read_acts(with_canary)[-1]["act"] == "erase"
    steps.prepare(with_canary)
    assert len((with_canary.landing / "acts.ndjson").read_text().splitlines()) == 1


def test_nobody_is_erased_by_mistake(built: Built, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(built.settings.home, home, symlinks=True)
    settings = Settings(home=home, repo_root=built.settings.repo_root)
    before = {d.label: d.sha256 for d in list_deliveries(settings)}
    for identifier, reason in (
        ("usr_NOBODY", "request 17"),
        ("hubspot/contacts/0", "request 17"),
        (CANARY, f"{CANARY} asked for it"),
        (CANARY, " "),
    ):
        with pytest.raises(JourneylineError) as raised:
            erase_person(settings, identifier, by="ada", reason=reason)
        assert raised.value.exit_code == 2
    assert {d.label: d.sha256 for d in list_deliveries(settings)} == before
    assert all(d.stored_sha256 is None for d in list_deliveries(settings))
    assert settings.warehouse.exists()
    assert read_tombstones(settings) == set()
