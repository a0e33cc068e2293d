"""JSON, Parquet, workbooks, zstd: the same rows in every format end in the same raw table."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from backports import zstd
from ingest_home import activity, ask, group, land, lines, project
from pyarrow import parquet

from benchmarks.corruption.workbook import as_workbook
from orchestration.ingest import unpacking
from orchestration.ingest.loader import load_deliveries
from orchestration.settings import Settings

GROUPS = [group(n, name=f'Größe, "{n}"\n') for n in range(1, 40)]
RAW = "select group_id, name, created_at, updated_at from raw.zendesk__groups order by 1"


def as_parquet(records: list[dict[str, Any]] | pa.Table, **options: object) -> bytes:
    table = records if isinstance(records, pa.Table) else pa.Table.from_pylist(records)
    sink = io.BytesIO()
    parquet.write_table(table, sink, **options)
    return sink.getvalue()


def rows_of(settings: Settings) -> list[tuple]:
    load_deliveries(settings, None)
    assert (
        ask(settings, "select status, reason from ingest.deliveries where status <> 'loaded'") == []
    )
    return ask(settings, RAW)


def refusal(settings: Settings) -> str:
    load_deliveries(settings, None)
    ((status, reason),) = ask(settings, "select status, reason from ingest.deliveries")
    assert status == "refused"
    return str(reason)


@pytest.fixture
def expected(tmp_path: Path) -> list[tuple]:
    """The groups as NDJSON leaves them in the raw table."""
    settings = Settings(home=tmp_path / "plain")
    land(settings, "zendesk/groups", lines(GROUPS))
    return rows_of(settings)


@pytest.mark.parametrize("suffix", [".ndjson.gz", ".ndjson.zst"])
def test_packed_lines_are_the_lines(tmp_path: Path, expected: list[tuple], suffix: str) -> None:
    settings = Settings(home=tmp_path / "home")
    land(settings, "zendesk/groups", lines(GROUPS), suffix=suffix)
    assert rows_of(settings) == expected


@pytest.mark.parametrize("suffix", [".json", ".json.gz", ".json.zst"])
@pytest.mark.parametrize("indent", [None, 2])
def test_a_json_array_is_its_elements(
    tmp_path: Path, expected: list[tuple], suffix: str, indent: int | None
) -> None:
    settings = project(tmp_path, "zendesk/groups", format="json")
    land(settings, "zendesk/groups", json.dumps(GROUPS, indent=indent), suffix=suffix)
    assert rows_of(settings) == expected


def test_a_single_json_object_is_one_row_and_so_are_several_in_a_file(tmp_path: Path) -> None:
    settings = project(tmp_path, "zendesk/groups", format="json")
    land(settings, "zendesk/groups", "\ufeff" + json.dumps(group(1), indent=1), suffix=".json")
    land(settings, "zendesk/groups", lines([group(2), group(3)]), suffix=".json")
    land(settings, "zendesk/groups", " [ ]\n", suffix=".json")
    assert [row[0] for row in rows_of(settings)] == ["1", "2", "3"]


@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_records_are_found_however_the_file_streams_by(
    tmp_path: Path, expected: list[tuple], chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "CHUNK_BYTES", chunk)
    settings = project(tmp_path, "zendesk/groups", format="json")
    tricky = [*GROUPS[:5], group(90, name='a \\ "b" ] } , [ {', extra={"l": [[], [{}]]})]
    land(settings, "zendesk/groups", json.dumps(tricky), suffix=".json")
    found = rows_of(settings)
    assert len(found) == 6 and found[-1][:2] == ("90", 'a \\ "b" ] } , [ {')


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (json.dumps(GROUPS)[:-1], "cut off"),
        (json.dumps(GROUPS)[:-40], "cut off"),
        (json.dumps(group(1))[:-1], "cut off"),
        (json.dumps(GROUPS) + "x", "goes on after its end"),
        (json.dumps(GROUPS)[:-1] + ",]", "is empty"),
        ("42", "neither a JSON array nor"),
        ('"text"', "neither a JSON array nor"),
        (json.dumps([group(1)]) + json.dumps([group(2)]), "neither a JSON array nor"),
    ],
)
def test_a_json_file_that_is_no_whole_document_is_refused(
    tmp_path: Path, content: str, said: str
) -> None:
    settings = project(tmp_path, "zendesk/groups", format="json")
    land(settings, "zendesk/groups", content, suffix=".json")
    assert said in refusal(settings)


def test_a_broken_element_costs_no_other(tmp_path: Path) -> None:
    settings = project(tmp_path, "zendesk/groups", format="json")
    deep = '{"id": "8", "name": ' + "[" * 5000 + "]" * 5000 + "}"
    elements = [json.dumps(group(1)), '{"id": tru}', deep, '{"id": "raw\nbreak"}', "17"]
    land(settings, "zendesk/groups", "[" + ",\n".join(elements) + "]", suffix=".json")
    report = load_deliveries(settings, None)
    assert (report.accepted, report.quarantined) == (1, 4)
    assert ask(settings, "select distinct rule from ingest.quarantine_rows") == [
        ("malformed_json",)
    ]


def test_parquet_rows_are_the_same_and_its_types_are_kept(
    tmp_path: Path, expected: list[tuple]
) -> None:
    settings = project(tmp_path, "zendesk/groups", format="parquet")
    at = {
        "created_at": datetime(2025, 1, 1, tzinfo=UTC),
        "updated_at": datetime(2025, 1, 2, tzinfo=UTC),
    }
    half = [{**row, **at, "id": int(str(row["id"]))} for row in GROUPS[:20]]
    land(settings, "zendesk/groups", as_parquet(half), suffix=".parquet")
    # As pandas leaves a column of numbers with a gap in it.
    floats = [{**row, **at, "id": float(str(row["id"]))} for row in GROUPS[20:]]
    land(settings, "zendesk/groups", as_parquet(floats), suffix=".parquet")
    assert rows_of(settings) == expected


def test_an_identifier_that_lost_digits_is_quarantined_and_never_rounded(tmp_path: Path) -> None:
    settings = project(tmp_path, "zendesk/groups", format="parquet")
    numbers = [1.0, 2.0**53 + 2, 1e22, float("nan"), None]
    rows = [{**group(0), "id": number} for number in numbers]
    land(settings, "zendesk/groups", as_parquet(rows), suffix=".parquet")
    load_deliveries(settings, None)
    assert [row[0] for row in ask(settings, RAW)] == ["1"]
    assert ask(
        settings, "select rule, column_name from ingest.quarantine_rows order by row_number"
    ) == [
        ("inexact_identifier", "group_id"),
        ("inexact_identifier", "group_id"),
        ("inexact_identifier", "group_id"),
        ("missing_required", "group_id"),
    ]


def test_parquet_without_a_zone_needs_one_from_the_contract(tmp_path: Path) -> None:
    settings = project(tmp_path, "zendesk/groups", format="parquet")
    naive = [{**group(1), "created_at": datetime(2025, 1, 1), "updated_at": datetime(2025, 1, 1)}]
    land(settings, "zendesk/groups", as_parquet(naive), suffix=".parquet")
    load_deliveries(settings, None)
    assert ask(settings, "select rule, value, payload->>'name' from ingest.quarantine_rows") == [
        ("wrong_type", "2025-01-01 00:00:00", "Group 1")
    ]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_parquet_that_is_cut_off_is_refused(tmp_path: Path, share: float) -> None:
    settings = project(tmp_path, "zendesk/groups", format="parquet")
    whole = as_parquet(GROUPS)
    land(settings, "zendesk/groups", whole[: int(len(whole) * share)], suffix=".parquet")
    assert "Parquet data is broken" in refusal(settings)


def test_a_workbook_is_read_by_its_header(tmp_path: Path) -> None:
    settings = project(tmp_path, "mailchimp/email_activity", format="xlsx", sheet="Export")
    header = ["campaign_id", "list_id", "email_id", "unique_email_id", "email_address", "action"]
    header += ["type", "url", "timestamp"]
    rows = [
        [17, "l1", "007", 123456789012345, "a@example.com", "open", None, None,
         "2025-02-01T10:00:00Z"],
        [17.0, "l1", "e2", 2**60, "b@example.com", "open", None, None, "2025-02-01T10:00:00Z"],
        [None] * 9,
        [17, "l1", "e3", "u3", "c@example.com", "open", None, None, datetime(2025, 2, 1, 10)],
        [17, "l1", "e4", "u4", "d@example.com", "open", None, None, "2025-02-01T10:00:00Z", "x"],
    ]  # fmt: skip
    land(settings, "mailchimp/email_activity", as_workbook([header, *rows]), suffix=".xlsx")
    load_deliveries(settings, None)
    assert ask(
        settings,
        "select campaign_id, email_id, unique_email_id from raw.mailchimp__email_activity",
    ) == [("17", "007", "123456789012345")]
    assert ask(
        settings, "select rule, column_name from ingest.quarantine_rows order by row_number"
    ) == [
        ("inexact_identifier", "unique_email_id"),
        ("wrong_type", "occurred_at"),
        ("malformed_json", None),
    ]


def test_a_workbook_that_lacks_the_sheet_or_a_whole_archive_is_refused(tmp_path: Path) -> None:
    settings = project(tmp_path, "zendesk/groups", format="xlsx", sheet="Groups")
    land(settings, "zendesk/groups", as_workbook([["id"], ["1"]]), suffix=".xlsx")
    assert "has no sheet 'Groups'; it has Export" in refusal(settings)
    other = project(tmp_path / "other", "zendesk/groups", format="xlsx")
    whole = as_workbook([["id", "name"], *[[n, f"g{n}"] for n in range(200)]])
    land(other, "zendesk/groups", whole[:-30], suffix=".xlsx")
    assert "workbook is broken" in refusal(other)


def test_zstd_that_is_cut_off_or_changed_is_refused(tmp_path: Path) -> None:
    checksum = {zstd.CompressionParameter.checksum_flag: 1}
    whole = zstd.compress(lines(GROUPS).encode(), options=checksum)
    for number, (damaged, said) in enumerate([
        (whole[:-3], "cut off"),
        (whole[: len(whole) // 2], "cut off"),
        (whole[:-1] + bytes([whole[-1] ^ 1]), "broken"),
        (b"", "cut off"),
    ]):  # fmt: skip
        settings = Settings(home=tmp_path / str(number))
        land(settings, "zendesk/groups", damaged, suffix=".ndjson.zst", is_packed=True)
        assert said in refusal(settings)


def test_zstd_of_many_frames_is_read_to_its_end_and_a_bomb_is_refused(
    tmp_path: Path, expected: list[tuple], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(home=tmp_path / "home")
    frames = b"".join(zstd.compress(lines([row]).encode()) for row in GROUPS)
    land(settings, "zendesk/groups", frames, suffix=".ndjson.zst", is_packed=True)
    assert rows_of(settings) == expected
    monkeypatch.setattr(unpacking, "RATIO_APPLIES_FROM_BYTES", 1 << 20)
    bomb = Settings(home=tmp_path / "bomb")
    land(bomb, "zendesk/groups", ("\n" * 1000) * 8000, suffix=".ndjson.zst")
    assert "times its size" in refusal(bomb)


CONTENTS = "content_id;content_type;title;path;topic;stage;author;published_at;updated_at\n"
ROW = 'c{};article;"Straße; ""quoted""";/a;topic;trial;Ann;;2025-01-01T00:00:00Z\n'


@pytest.mark.parametrize("encoding", ["windows-1252", "utf-16", "utf-16-le", "utf-8"])
def test_csv_in_a_declared_encoding_and_with_a_declared_delimiter(
    tmp_path: Path, encoding: str
) -> None:
    settings = project(tmp_path, "cms/contents", encoding=encoding, delimiter=";")
    text = CONTENTS + ROW.format(1) + "c2;too;few\n"
    land(settings, "cms/contents", text.encode(encoding), suffix=".csv")
    load_deliveries(settings, None)
    assert ask(settings, "select content_id, title from raw.cms__contents") == [
        ("c1", 'Straße; "quoted"')
    ]
    assert ask(settings, "select payload from ingest.quarantine_rows") == [("c2;too;few",)]


@pytest.mark.parametrize(
    ("properties", "content", "said"),
    [
        ({}, CONTENTS + ROW.format(1), "separated by ';', the contract's delimiter is ','"),
        ({"encoding": "utf-16"}, b"\xff\xfea\xd8b\x00\n\x00", "not utf-16"),
        ({}, (CONTENTS + ROW.format(1)).encode("windows-1252"), "not UTF-8"),
        ({"delimiter": ";", "trailer": r"END;(\d+)"}, CONTENTS + ROW.format(1), "is missing"),
        (
            {"delimiter": ";", "trailer": r"END;(\d+)"},
            CONTENTS + ROW.format(1) + "END;2\n",
            "the trailer counts 2 rows, the file has 1",
        ),
    ],
)
def test_csv_that_its_contract_does_not_describe_is_refused(
    tmp_path: Path, properties: dict[str, object], content: str | bytes, said: str
) -> None:
    settings = project(tmp_path, "cms/contents", **properties)
    land(settings, "cms/contents", content, suffix=".csv")
    assert said in refusal(settings)


def test_a_trailer_is_no_row(tmp_path: Path) -> None:
    settings = project(tmp_path, "cms/contents", delimiter=";", trailer=r"END;(\d+)")
    land(
        settings,
        "cms/contents",
        CONTENTS + ROW.format(1) + ROW.format(2) + "END;2\n",
        suffix=".csv",
    )
    assert load_deliveries(settings, None).accepted == 2
    settings = project(tmp_path / "lines", "zendesk/groups", trailer=r"#(\d+)")
    land(settings, "zendesk/groups", lines([group(1), group(2), "#2"]))
    assert load_deliveries(settings, None).accepted == 2


def test_a_long_quoted_field_is_read(tmp_path: Path) -> None:
    settings = project(tmp_path, "cms/contents")
    header = CONTENTS.replace(";", ",")
    row = f'c1,article,"{"x, " * 100_000}",/a,topic,trial,Ann,,2025-01-01T00:00:00Z\n'
    land(settings, "cms/contents", header + row, suffix=".csv")
    assert load_deliveries(settings, None).accepted == 1
    assert ask(settings, "select strlen(title) from raw.cms__contents") == [(300_000,)]


@pytest.mark.parametrize(
    ("said", "expected_at"),
    [
        ("1735732800", datetime(2025, 1, 1, 12)),
        (1735732800.25, datetime(2025, 1, 1, 12, 0, 0, 250000)),
        (1735732800123, datetime(2025, 1, 1, 12, 0, 0, 123000)),
        ("1735732800123456", datetime(2025, 1, 1, 12, 0, 0, 123456)),
        ("1735732800123456789", datetime(2025, 1, 1, 12, 0, 0, 123456)),
        ("20250101", None),
        ("2025", None),
        ("17357328001234567890", None),
    ],
)
def test_seconds_since_1970_are_told_apart_by_their_range(
    tmp_path: Path, said: object, expected_at: datetime | None
) -> None:
    settings = Settings(home=tmp_path / "home")
    land(settings, "mailchimp/email_activity", lines([activity(1, timestamp=said)]))
    load_deliveries(settings, None)
    found = ask(settings, "select occurred_at from raw.mailchimp__email_activity")
    assert found == ([(expected_at,)] if expected_at else [])


def test_money_is_decimal_from_every_format(tmp_path: Path) -> None:
    at = "2025-01-01T00:00:00Z"
    amounts = ["1234.5678", "0.1", "99999999999999.9999"]
    for format_, values in (("ndjson", amounts), ("parquet", [Decimal(a) for a in amounts])):
        settings = project(tmp_path / format_, "hubspot/contacts", format=format_)
        rows = [
            {"id": f"{n}", "createdAt": at, "updatedAt": at, "properties": {"budget": value}}
            for n, value in enumerate(values)
        ]
        content = lines(rows) if format_ == "ndjson" else as_parquet(rows)
        land(settings, "hubspot/contacts", content, suffix=f".{format_}")
        load_deliveries(settings, None)
        found = ask(settings, "select budget from raw.hubspot__contacts order by contact_id")
        assert found == [
            (Decimal("1234.5678"),),
            (Decimal("0.1000"),),
            (Decimal("99999999999999.9999"),),
        ]


HEADER = ["name", "id", "extra", "created_at", "updated_at"]


def test_a_file_without_a_header_is_read_by_the_contract_s(tmp_path: Path) -> None:
    settings = project(
        tmp_path, "zendesk/groups", format="csv", delimiter="\t", header=HEADER, quotes=False
    )
    plain = ["A", "1", '{"a": "b"}', "2025-01-01T00:00:00Z", "2025-01-02T00:00:00Z"]
    short = plain[:-1]
    quoted = ['"B', "2", "", "2025-01-01T00:00:00Z", "2025-01-02T00:00:00Z"]
    content = "".join("\t".join(row) + "\n" for row in (plain, short, quoted))
    land(settings, "zendesk/groups", content, suffix=".tsv.gz")
    report = load_deliveries(settings, None)
    assert (report.accepted, report.quarantined) == (2, 1)
    found = ask(settings, "select group_id, name from raw.zendesk__groups order by 1")
    assert found == [("1", "A"), ("2", '"B')]
    assert ask(settings, "select rule, payload from ingest.quarantine_rows") == [
        ("malformed_csv", "\t".join(short))
    ]


def test_the_elements_of_an_array_are_rows_with_the_rest_of_the_record(tmp_path: Path) -> None:
    settings = project(tmp_path, "zendesk/groups", rowsIn="groups", rateBound=1.0)
    contract = settings.contracts / "sources" / "zendesk.groups.odcs.yaml"
    text = contract.read_text("utf-8")
    for path in ("id", "name", "created_at"):
        text = text.replace(f"physicalName: {path}\n", f"physicalName: groups.{path}\n")
    contract.write_text(text, "utf-8")
    at = {"updated_at": "2025-01-02T00:00:00Z"}
    made = {"created_at": "2025-01-01T00:00:00Z"}
    batches: list[dict[str, object] | str] = [
        {**at, "groups": [{"id": n, "name": f"G{n}", **made} for n in (1, 2)]},
        {**at, "groups": []},
        {**at, "groups": [{"id": 12345678901234567890, "name": "big", **made}]},
        '{"groups": [',
        {**at, "groups": None},
    ]
    land(settings, "zendesk/groups", lines(batches))
    report = load_deliveries(settings, None)
    assert (report.accepted, report.quarantined) == (3, 2)
    found = ask(settings, "select group_id, name, updated_at::text from raw.zendesk__groups")
    when = "2025-01-02 00:00:00"
    assert sorted(found) == [
        ("1", "G1", when),
        ("12345678901234567890", "big", when),
        ("2", "G2", when),
    ]


def test_seconds_of_a_wall_clock_are_of_the_zone_that_the_contract_names(tmp_path: Path) -> None:
    settings = project(tmp_path, "zendesk/groups")
    contract = settings.contracts / "sources" / "zendesk.groups.odcs.yaml"
    document = yaml.safe_load(contract.read_text("utf-8"))
    for column in document["schema"][0]["properties"]:
        if column["name"] == "updated_at":
            column["logicalTypeOptions"] = {"epochTimezone": "America/New_York"}
    contract.write_text(yaml.safe_dump(document), "utf-8")
    # 10:00 on the clock: in winter 15:00 UTC, in summer 14:00.
    clock = {1: "2025-01-15T10:00:00+00:00", 2: "2025-07-15T10:00:00+00:00"}
    seconds = {n: int(datetime.fromisoformat(text).timestamp()) for n, text in clock.items()}
    land(settings, "zendesk/groups", lines([group(n, updated_at=s) for n, s in seconds.items()]))
    assert load_deliveries(settings, None).accepted == 2
    assert ask(settings, "select updated_at::text from raw.zendesk__groups order by 1") == [
        ("2025-01-15 15:00:00",),
        ("2025-07-15 14:00:00",),
    ]


def test_a_time_is_read_in_the_form_and_the_zone_that_the_contract_names(tmp_path: Path) -> None:
    settings = project(tmp_path, "zendesk/groups", rateBound=1.0)
    contract = settings.contracts / "sources" / "zendesk.groups.odcs.yaml"
    document = yaml.safe_load(contract.read_text("utf-8"))
    for column in document["schema"][0]["properties"]:
        if column["name"] == "updated_at":
            form = {"format": "M/d/yyyy h:mm:ss a", "defaultTimezone": "Etc/GMT+6"}
            column["logicalTypeOptions"] = form
    contract.write_text(yaml.safe_dump(document), "utf-8")
    times = {1: "3/4/2025 9:05:02 AM", 2: "12/31/2025 11:00:00 PM", 3: "31/12/2025 1:00:00 AM"}
    land(settings, "zendesk/groups", lines([group(n, updated_at=t) for n, t in times.items()]))
    report = load_deliveries(settings, None)
    assert (report.accepted, report.quarantined) == (2, 1)
    assert ask(settings, "select updated_at::text from raw.zendesk__groups order by 1") == [
        ("2025-03-04 15:05:02",),
        ("2026-01-01 05:00:00",),
    ]
