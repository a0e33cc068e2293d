"""Guards on a delivered file's bytes: what must never reach a reader."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pytest
from ingest_home import ask, delivery, group, land, lines

from orchestration.ingest import unpacking
from orchestration.ingest.contracts import load_contracts
from orchestration.ingest.guards import Refused, guard_delivery
from orchestration.ingest.loader import load_deliveries
from orchestration.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def refusal(settings: Settings, table: str = "zendesk/groups") -> str:
    source, entity = table.split("/")
    contract = load_contracts(settings)[(source, entity)]
    with pytest.raises(Refused) as caught:
        guard_delivery(delivery(settings), contract)
    return str(caught.value)


@pytest.mark.parametrize("seed", range(20))
def test_gzip_cut_anywhere_is_refused(settings: Settings, seed: int) -> None:
    whole = gzip.compress(lines([group(n) for n in range(300)]).encode(), mtime=0)
    cut = whole[: random.Random(seed).randrange(1, len(whole))]
    land(settings, "zendesk/groups", cut, suffix=".ndjson.gz", is_packed=True)
    assert refusal(settings)


@pytest.mark.parametrize("seed", range(20))
def test_plain_text_cut_within_a_line_is_refused(settings: Settings, seed: int) -> None:
    whole = lines([group(n) for n in range(50)]).encode()
    place = random.Random(seed).choice([n for n in range(1, len(whole)) if whole[n - 1] != 10])
    land(settings, "zendesk/groups", whole[:place])
    assert "cut off" in refusal(settings)


@pytest.mark.parametrize("seed", range(20))
def test_any_change_after_landing_is_caught_by_the_manifest(settings: Settings, seed: int) -> None:
    land(settings, "zendesk/groups", lines([group(n) for n in range(50)]))
    file = delivery(settings).file
    data = bytearray(file.read_bytes())
    place = random.Random(seed).randrange(len(data))
    data[place] ^= 1 << random.Random(seed).randrange(8)
    file.write_bytes(data)
    assert refusal(settings)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"id": "1\0"}\n', "NUL"),
        (lines([group(1)]).encode("utf-16"), "NUL"),
        ('{"id": "é"}\n'.encode("latin-1"), "not UTF-8"),
        ('{"id": "1"}\n{"id": "é'.encode()[:-1], "ends within a character"),
        ('{"id": "' + "x" * (9 << 20) + '"}\n', "a line is longer than 8 MiB"),
    ],
)
def test_text_that_no_reader_may_see_is_refused(
    settings: Settings, content: str | bytes, said: str
) -> None:
    land(settings, "zendesk/groups", content)
    assert said in refusal(settings)


def test_a_gzip_bomb_is_refused_before_it_unpacks(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "RATIO_APPLIES_FROM_BYTES", 1 << 20)
    land(settings, "zendesk/groups", ("\n" * 1000) * 8000, suffix=".ndjson.gz")
    assert "times its size" in refusal(settings)


def test_gzip_of_many_members_and_of_any_length_is_read_to_its_end(settings: Settings) -> None:
    one = gzip.compress(lines([group(n) for n in range(20_000)]).encode(), mtime=0)
    two = gzip.compress(lines([group(n) for n in range(20_000, 30_000)]).encode(), mtime=0)
    land(settings, "zendesk/groups", one + two, suffix=".ndjson.gz", is_packed=True)
    contract = load_contracts(settings)[("zendesk", "groups")]
    assert guard_delivery(delivery(settings), contract).line_count == 30_000


def test_a_refused_delivery_is_named_and_others_go_on(settings: Settings) -> None:
    land(settings, "zendesk/groups", '{"id": "1"')
    land(settings, "zendesk/users", lines([group(1, role="agent")]))
    report = load_deliveries(settings, None)
    assert report.accepted == 1
    assert len(report.refused) == 1 and "zendesk/groups" in report.refused[0]
    rows = ask(
        settings, "select entity, status, landed_count, reason from ingest.deliveries order by 1"
    )
    assert rows[0][:3] == ("groups", "refused", 0) and "cut off" in rows[0][3]
    assert rows[1][:3] == ("users", "loaded", 1)
    assert load_deliveries(settings, None).load_number is None


def test_a_manifest_that_counts_other_rows_refuses_the_file(settings: Settings) -> None:
    land(settings, "zendesk/groups", lines([group(1), group(2)]))
    path = delivery(settings).folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"][0]["rows"] = 3
    path.write_text(json.dumps(manifest))
    assert "counts 3 rows, the file has 2" in load_deliveries(settings, None).refused[0]


def test_json_that_nests_too_deep_is_quarantined_and_its_neighbours_are_kept(
    settings: Settings,
) -> None:
    deep = '{"id": "9", "name": ' + "[" * 60_000 + "]" * 60_000 + "}"
    broad = json.dumps(group(2, tags=[[] for _ in range(2_000)]))
    land(settings, "zendesk/groups", lines([group(1), deep, broad]))
    report = load_deliveries(settings, None)
    assert (report.accepted, report.quarantined) == (2, 1)
    assert ask(settings, "select rule, row_number from ingest.quarantine_rows") == [
        ("malformed_json", 2)
    ]


def test_byte_order_mark_carriage_returns_and_empty_lines_cost_no_row(settings: Settings) -> None:
    content = "\ufeff" + lines([group(1), "", group(2)]).replace("\n", "\r\n")
    land(settings, "zendesk/groups", content)
    assert load_deliveries(settings, None).accepted == 2
    assert ask(settings, "select group_id, _row_number from raw.zendesk__groups order by 1") == [
        ("1", 1),
        ("2", 2),
    ]
