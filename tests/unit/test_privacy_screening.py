"""Rows leave a delivery in every format, and the rest of it loads as before."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pyarrow
import pytest
from backports import zstd
from pyarrow import parquet
from test_ingest_formats import as_workbook

from orchestration.ingest.acts import acts_path, append_acts, read_acts
from orchestration.ingest.contracts import Contract, load_contracts
from orchestration.ingest.landing import Delivery, land_file, list_deliveries
from orchestration.ingest.unpacking import open_chunks
from orchestration.privacy import screening
from orchestration.privacy.corrected import corrected_rows
from orchestration.privacy.handles import (
    append_tombstone,
    handles_of,
    hasher,
    read_tombstones,
    row_handle,
    tombstones_path,
)
from orchestration.settings import REPO_ROOT, Settings
from orchestration.unify.normalising import EmailProvider, NormaliserSettings

AT = datetime(2025, 7, 1, 2)
GONE = "ann@gone.example"
NAMES = [f"person {n}" for n in range(1, 7)]
EMAILS = ["a@kept.example", GONE, "b@kept.example", GONE.upper(), "ö@kept.example", GONE]
ROWS = [
    {"id": str(n), "email": email, "name": f'{name}, "quoted"\nand more'}
    for n, (name, email) in enumerate(zip(NAMES, EMAILS, strict=True), start=1)
]


def as_csv(delimiter: str = ",") -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, ["id", "email", "name"], delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(ROWS)
    return file.getvalue()


def as_ndjson() -> str:
    return "".join(json.dumps(row) + "\n" for row in ROWS)


def as_parquet() -> bytes:
    buffer = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(ROWS), buffer)
    return buffer.getvalue()


FORMATS: dict[str, tuple[str, Callable[[], bytes], dict[str, str]]] = {
    "ndjson": ("ndjson", lambda: as_ndjson().encode(), {}),
    "ndjson.gz": ("ndjson", lambda: gzip.compress(as_ndjson().encode()), {}),
    "ndjson.zst": ("ndjson", lambda: zstd.compress(as_ndjson().encode()), {}),
    "json": ("json", lambda: json.dumps(ROWS, indent=1).encode(), {}),
    "csv": ("csv", lambda: as_csv().encode(), {}),
    "csv.gz": (
        "csv",
        lambda: gzip.compress(as_csv(";").encode("windows-1252")),
        {"encoding": "windows-1252", "delimiter": ";"},
    ),
    "parquet": ("parquet", as_parquet, {}),
    "xlsx": (
        "xlsx",
        lambda: as_workbook([list(ROWS[0]), *(list(row.values()) for row in ROWS)]),
        {},
    ),
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", repo_root=REPO_ROOT)


def contract_of(kind: str, changes: Mapping[str, object]) -> Contract:
    """A contract of three columns in the format asked for."""
    base = load_contracts(Settings(home=REPO_ROOT))["surveys", "respondents"]
    names = {"respondent_id": "id", "email": "email", "name": "name"}
    columns = tuple(replace(c, path=names[c.name]) for c in base.columns if c.name in names)
    return replace(base, format=kind, columns=columns, **changes)  # type: ignore[arg-type]


def landed(settings: Settings, name: str, content: bytes, folder: Path) -> Delivery:
    file = folder / name
    file.write_bytes(content)
    land_file(settings, "surveys", "respondents", file, AT)
    (delivery,) = list_deliveries(settings)
    return delivery


def names_gone(fields: object, text: str) -> bool:
    return GONE in text.lower()


@pytest.mark.parametrize("suffix", FORMATS)
def test_rows_leave_a_delivery_and_the_others_stay_as_they_were(
    settings: Settings, tmp_path: Path, suffix: str
) -> None:
    kind, content, changes = FORMATS[suffix]
    contract = contract_of(kind, changes)
    delivery = landed(settings, f"respondents.{suffix}", content(), tmp_path)
    before = {row.number: row.fields for row in screening.rows_of(delivery, contract)}
    assert [fields["email"] for fields in before.values()] == EMAILS
    found = screening.screen(delivery, contract, names_gone)
    assert found is not None
    assert found.erased == (2, 4, 6)
    contracts = {("surveys", "respondents"): contract}
    screening.replace_deliveries(settings, contracts, [found])

    (after,) = list_deliveries(settings)
    assert after.problem is None
    assert (after.sha256, after.byte_count) == (delivery.sha256, delivery.byte_count)
    assert after.erased_count == 3
    assert b"".join(open_chunks(after))
    assert [row.fields for row in screening.rows_of(after, contract)] == [
        before[1],
        before[3],
        before[5],
    ]
    assert screening.screen(after, contract, names_gone) is None
    assert not (settings.home / screening.FOLDER).exists()
    # The same content is known although its file is another one now.
    assert (
        land_file(settings, "surveys", "respondents", tmp_path / f"respondents.{suffix}", AT)
        == delivery.delivery_id
    )


def test_what_stays_in_a_workbook_is_read_as_before(settings: Settings, tmp_path: Path) -> None:
    contract = contract_of("xlsx", {"sheet": "Müller & Söhne"})
    kept = [
        [17, "a@kept.example", 'a < b & c > d, "quoted"\nand more\ttabbed'],
        [2**60, None, " blanks around "],
        [0.1, True, datetime(2025, 2, 1, 10, 30)],
        [None, datetime(2025, 2, 1), "_x0041_ and _x and ü"],
        ["007", "b@kept.example", "beyond", None, "x"],
    ]
    rows = [["id", "email", "name"], *kept[:2], [3, GONE, "gone"], [None] * 3, *kept[2:]]
    content = as_workbook(rows, "Müller &amp; Söhne")
    delivery = landed(settings, "respondents.xlsx", content, tmp_path)
    before = [row.text for row in screening.rows_of(delivery, contract)]
    found = screening.screen(delivery, contract, names_gone)
    assert found is not None and found.erased == (3,)
    screening.replace_deliveries(settings, {("surveys", "respondents"): contract}, [found])
    (after,) = list_deliveries(settings)
    assert [row.text for row in screening.rows_of(after, contract)] == before[:2] + before[3:]
    with zipfile.ZipFile(after.file) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    assert not any(GONE in text for text in parts.values())


@pytest.mark.parametrize(
    ("kind", "changes", "content"),
    [
        (
            "ndjson",
            {"rows_in": "row"},
            "".join(
                json.dumps({"batch": n, "row": ROWS[2 * n : 2 * n + 2]}) + "\n" for n in range(3)
            ),
        ),
        (
            "csv",
            {"header": ("id", "email", "name"), "has_quotes": False, "delimiter": "\t"},
            "".join(f'{n}\t{email}\t"\n' for n, email in enumerate(EMAILS)),
        ),
    ],
)
def test_rows_leave_batches_and_files_without_a_header(
    settings: Settings, tmp_path: Path, kind: str, changes: dict[str, object], content: str
) -> None:
    contract = contract_of(kind, changes)
    if kind == "ndjson":
        below = tuple(replace(c, path=f"row.{c.path}") for c in contract.columns)
        contract = replace(contract, columns=below)
    delivery = landed(settings, f"respondents.{kind}", content.encode(), tmp_path)
    before = [row.fields for row in screening.rows_of(delivery, contract)]
    assert [fields["email"] for fields in before] == EMAILS
    found = screening.screen(delivery, contract, names_gone)
    assert found is not None and found.erased == (2, 4, 6)
    screening.replace_deliveries(settings, {("surveys", "respondents"): contract}, [found])
    (after,) = list_deliveries(settings)
    assert [row.fields for row in screening.rows_of(after, contract)] == before[::2]


def test_a_trailer_counts_the_rows_that_stay(settings: Settings, tmp_path: Path) -> None:
    contract = contract_of("ndjson", {"trailer": r"rows: (\d+)"})
    content = as_ndjson() + "rows: 6\n"
    delivery = landed(settings, "respondents.ndjson", content.encode(), tmp_path)
    found = screening.screen(delivery, contract, names_gone)
    assert found is not None
    screening.replace_deliveries(settings, {("surveys", "respondents"): contract}, [found])
    (after,) = list_deliveries(settings)
    assert after.file.read_text().splitlines()[-1] == "rows: 3"


def test_acts_on_rows_follow_the_rows_that_stay(settings: Settings, tmp_path: Path) -> None:
    contract = contract_of("ndjson", {})
    delivery = landed(settings, "respondents.ndjson", as_ndjson().encode(), tmp_path)
    rows = [("surveys", "respondents", delivery.delivery_id, n) for n in (2, 3, 5, 6)]
    append_acts(settings, "replay", rows, AT)
    found = screening.screen(delivery, contract, names_gone)
    assert found is not None
    screening.replace_deliveries(settings, {("surveys", "respondents"): contract}, [found])
    (act,) = read_acts(settings)
    assert act.rows[delivery.delivery_id] == ((2, 2), (3, 3))


def test_what_was_said_of_rows_that_leave_leaves_with_them(
    settings: Settings, tmp_path: Path
) -> None:
    contract = contract_of("ndjson", {})
    delivery = landed(settings, "respondents.ndjson", as_ndjson().encode(), tmp_path)
    gone, kept = (
        [("surveys", "respondents", delivery.delivery_id, n) for n in numbers]
        for numbers in ((2, 4), (1, 3))
    )
    append_acts(settings, "discard", gone, AT, f"Ann: {GONE} is right", delivered_as="later")
    append_acts(settings, "discard", kept, AT, "Ann: test rows")
    found = screening.screen(delivery, contract, names_gone)
    assert found is not None
    screening.replace_deliveries(settings, {("surveys", "respondents"): contract}, [found])
    # an act that names no row any more is one that a load can take
    assert [(act.rows, act.reason, act.delivered_as) for act in read_acts(settings)] == [
        ({}, "erased", "later"),
        ({delivery.delivery_id: ((1, 1), (2, 2))}, "Ann: test rows", None),
    ]
    assert GONE not in acts_path(settings).read_text()


def test_the_rows_that_a_correction_stands_for_are_found_by_its_delivery(
    settings: Settings, tmp_path: Path
) -> None:
    contract = contract_of("ndjson", {})
    contracts = {("surveys", "respondents"): contract}
    delivery = landed(settings, "respondents.ndjson", as_ndjson().encode(), tmp_path)
    rows = [("surveys", "respondents", delivery.delivery_id, n) for n in (1, 2, 5)]
    append_acts(settings, "discard", rows, AT, "Ann: so it is", delivered_as="later")
    place = ("surveys", "respondents", "later")
    found = corrected_rows(settings, contracts, [place])
    assert [(d.delivery_id, row.number) for d, row in found] == [
        (delivery.delivery_id, n) for n in (1, 2, 5)
    ]
    assert corrected_rows(settings, contracts, [("surveys", "respondents", "another")]) == []


def test_a_row_is_the_same_however_its_words_are_ordered_and_is_kept_apart_from_names() -> None:
    settings = Settings(home=Path("/none"), ledger_key="l" * 32)
    row = row_handle("crm/contacts", '{"id": 7, "name": "Ann"}')
    assert row_handle("crm/contacts", '{"name":"Ann","id":7}') == row
    assert row_handle("crm/leads", '{"id": 7, "name": "Ann"}') != row
    assert hasher(settings)(row).startswith("row-") and "Ann" not in str(row)


def test_a_file_that_cannot_be_read_goes_whole(settings: Settings, tmp_path: Path) -> None:
    contract = contract_of("ndjson", {})
    cut = gzip.compress(as_ndjson().encode())[:-12]
    delivery = landed(settings, "respondents.ndjson.gz", cut, tmp_path)
    found = screening.screen(delivery, contract, names_gone)
    assert found is not None
    assert found.erased is None
    screening.replace_deliveries(settings, {("surveys", "respondents"): contract}, [found])
    (after,) = list_deliveries(settings)
    assert after.file.read_bytes() == b""


def test_a_replacement_that_died_is_put_in_place_or_forgotten(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = contract_of("ndjson", {})
    delivery = landed(settings, "respondents.ndjson", as_ndjson().encode(), tmp_path)
    found = screening.screen(delivery, contract, names_gone)
    assert found is not None
    with monkeypatch.context() as patch:
        patch.setattr(screening, "finish_replacement", lambda settings: None)
        screening.replace_deliveries(settings, {("surveys", "respondents"): contract}, [found])
    assert GONE in delivery.file.read_text()
    (settings.home / screening.FOLDER / "ready").unlink()
    screening.finish_replacement(settings)
    assert GONE in delivery.file.read_text()
    with monkeypatch.context() as patch:
        patch.setattr(screening, "finish_replacement", lambda settings: None)
        screening.replace_deliveries(settings, {("surveys", "respondents"): contract}, [found])
    screening.finish_replacement(settings)
    assert GONE not in delivery.file.read_text()


def test_a_value_names_the_same_person_however_it_is_written() -> None:
    german = NormaliserSettings(default_phone_region="DE")
    found = handles_of(
        {"email": " Zoe@Müller.example;z@x.example", "phone": "0151 23456789", "contact_id": 7},
        'wrote to <Ann+x@gone.example>, "b@kept.example"',
        {"email": "email", "phone": "phone", "contact_id": "crm/contacts"},
        german,
    )
    numbers = ("+49 (0)151 234-56789", "004915123456789")
    assert all(
        ("phone", "+4915123456789") in handles_of({"p": number}, "", {"p": "phone"}, german)
        for number in numbers
    )
    assert handles_of({"p": "n/a"}, "", {"p": "phone"}, german) == set()
    assert found == {
        ("email", "ann@gone.example"),
        ("email", "b@kept.example"),
        ("email", "zoe@xn--mller-kva.example"),
        ("email", "zoe@müller.example"),
        ("email", "z@x.example"),
        ("phone", "+4915123456789"),
        ("crm/contacts", "7"),
    }


def test_an_own_identifier_names_its_person_however_it_is_written() -> None:
    american = NormaliserSettings(default_phone_region="US")
    own = {"loyalty_number": "letters_and_digits"}
    found = handles_of({"card": " ab-12 "}, "", {"card": "loyalty_number"}, american, own)
    assert found == {("loyalty_number", "AB12")}


def test_a_tombstone_holds_when_the_provider_gets_a_rule_of_its_own() -> None:
    before = NormaliserSettings(default_phone_region="US")
    after = NormaliserSettings(
        default_phone_region="US",
        email_providers=(EmailProvider(domains=("gmail.com",), ignored="."),),
    )
    erased, delivered = (
        handles_of({}, "A.nn@gmail.com", {}, normalisers) for normalisers in (before, after)
    )
    assert erased == {("email", "a.nn@gmail.com")}
    assert erased < delivered


def test_tombstones_name_nobody_and_outlive_another_pseudonym_key(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, ledger_key="l" * 32, pseudonym_key="p" * 32)
    handle = ("email", GONE)
    append_tombstone(settings, "e1", "2025-07-01T02:00:00Z", [hasher(settings)(handle)])
    assert GONE not in tombstones_path(settings).read_text()
    rotated = replace(settings, pseudonym_key="q" * 32)
    assert hasher(rotated)(handle) in read_tombstones(rotated)
    other = replace(settings, ledger_key="m" * 32)
    assert hasher(other)(handle) not in read_tombstones(other)
