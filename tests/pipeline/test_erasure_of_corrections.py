"""A person whose broken rows somebody corrected is erased with what was broken and what was said.

One row is broken in a date and names the person all the same; the other in the very values that
say whose it is, so that only its correction tells. A third one is somebody else's.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from searching import places_with

from orchestration.ingest.acts import read_acts
from orchestration.ingest.corrections import correct_quarantine
from orchestration.ingest.landing import land_file, list_deliveries
from orchestration.pipeline.night import run_nights
from orchestration.privacy.erasing import erase_person
from orchestration.privacy.exporting import export_person
from orchestration.privacy.screening import rows_of
from orchestration.settings import Settings
from orchestration.warehouse import connect

ADDRESS = "canary.zebulon@cage.example"
NAMES = ("Zebulonicus", "Canaryworth")
PHONE = "+4915799887766"
IDS = ("990011223344", "990011223355")
CANARIES = (ADDRESS, "canary.zebulon", *NAMES, PHONE, *IDS)
OTHER = "somebody.else@house.example"
CREATED = "2025-07-01T10:00:00.000Z"


def contact(number: str | None, created: str = CREATED, **properties: object) -> dict[str, object]:
    """A contact as the demo company's CRM delivers it, with the person's name and numbers."""
    person = {"firstname": NAMES[0], "lastname": NAMES[1], "phone": PHONE, "email": ADDRESS}
    dates = {"createdAt": created, "updatedAt": CREATED, "archived": False}
    return {"id": number, "properties": {**person, **properties}, **dates}


def other(created: str) -> dict[str, object]:
    """A contact who is not erased."""
    return contact("880011", created, firstname="Some", lastname="Body", phone=None, email=OTHER)


def good(number: int) -> dict[str, object]:
    """One of so many whole rows that the broken ones are within the bound."""
    named = {"firstname": "Good", "lastname": "Person", "phone": None}
    return contact(f"77{number}", email=f"good{number}@house.example", **named)


BROKEN = [
    contact(IDS[0], created="soon"),
    contact(None, email="canary.zebulon at cage", phone="(none)"),
    other(created="later"),
]
CORRECTED = [contact(IDS[0]), contact(IDS[1]), other(created=CREATED)]


def shaped(settings: Settings, rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Rows with every property that the CRM delivers, so that none is taken for a renamed one."""
    contacts = [d for d in list_deliveries(settings) if d.label.startswith("hubspot/contacts/")]
    names = json.loads(next(rows_of(contacts[0], None)).text)["properties"]
    return [{**row, "properties": {**dict.fromkeys(names), **row["properties"]}} for row in rows]


def land(settings: Settings, folder: Path, rows: list[dict[str, object]], minutes: int) -> str:
    """Land contacts some minutes after everything that has landed."""
    at = max(delivery.received_at for delivery in list_deliveries(settings))
    return land_file(
        settings, "hubspot", "contacts", written(folder, rows), at + timedelta(minutes=minutes)
    )


def written(folder: Path, rows: list[dict[str, object]]) -> Path:
    """Rows as a file outside the home."""
    file = folder / "contacts.ndjson"
    file.write_text("".join(json.dumps(row, sort_keys=True) + "\n" for row in rows), "utf-8")
    return file


def counted(settings: Settings, delivery: str) -> tuple[object, ...] | None:
    """What the row ledger counts of a delivery."""
    connection = connect(settings.warehouse, read_only=True)
    try:
        return connection.execute(
            "select landed_count, accepted_count, quarantined_count, erased_count "
            "from ingest.deliveries where delivery_id = ?",
            [delivery],
        ).fetchone()
    finally:
        connection.close()


@pytest.mark.slow
def test_a_person_whose_rows_were_corrected_is_erased_with_the_broken_ones(
    built_home: Settings, tmp_path: Path
) -> None:
    settings = built_home
    rows = shaped(settings, [*map(good, range(97)), *BROKEN])
    broken = land(settings, tmp_path, rows, 1)
    run_nights(settings)
    assert counted(settings, broken) == (100, 97, 3, 0)
    file = written(tmp_path, shaped(settings, CORRECTED))
    said = f"{NAMES[0]} {NAMES[1]} wrote to us"
    done = correct_quarantine(settings, broken, file, None, "Ann", said)
    assert done.row_count == 3
    run_nights(settings)
    (act,) = read_acts(settings)
    assert act.delivered_as is not None
    assert counted(settings, act.delivered_as) == (3, 3, 0, 0)
    found = {place.split(": ")[0].split("/")[0] for place in places_with(settings, CANARIES)}
    assert found >= {"landing", "warehouse.duckdb"}
    held = export_person(settings, ADDRESS)["delivered"]["hubspot/contacts"]
    assert {(row["delivery_id"], row["row_number"]) for row in held} >= {(broken, 98), (broken, 99)}

    erase_person(settings, ADDRESS, by="ada", reason="request 17")
    assert places_with(settings, CANARIES) == set()
    run_nights(settings)
    assert places_with(settings, CANARIES) == set()
    # whose of the discarded rows is whose nobody recorded, so all three went; the other
    # person's corrected row stays
    assert counted(settings, broken) == (100, 97, 0, 3)
    assert counted(settings, act.delivered_as) == (3, 1, 0, 2)
    assert places_with(settings, [OTHER])
    (after,) = read_acts(settings)
    assert (after.reason, after.row_count, after.delivered_as) == ("erased", 0, act.delivered_as)

    # The source delivers the broken rows again, in another order of their fields.
    again = [dict(reversed(row.items())) for row in rows[-3:]]
    file = tmp_path / "again.ndjson"
    file.write_text("".join(json.dumps(row) + "\n" for row in again), "utf-8")
    at = max(delivery.received_at for delivery in list_deliveries(settings))
    land_file(settings, "hubspot", "contacts", file, at + timedelta(minutes=1))
    run_nights(settings)
    assert places_with(settings, CANARIES) == set()
    run_nights(settings, full_refresh=True)
    assert places_with(settings, CANARIES) == set()
