"""`journeyline sources`: landing by hand, and the list."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ingest_home import group, lines

from orchestration.cli.main import _run
from orchestration.ingest.landing import list_deliveries
from orchestration.ingest.loader import load_deliveries
from orchestration.settings import Settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "groups.ndjson"
    path.write_text(lines([group(1), group(2), {"id": "3"}]))
    return path


def call(home: Path, *arguments: str) -> int:
    return _run(["--home", str(home), "sources", *arguments])


def test_a_file_is_landed_once_however_often_it_is_given(
    tmp_path: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = []
    for received_at in ("2025-03-01T02:00:00Z", "2025-03-02T02:00:00+02:00"):
        arguments = ("land", "zendesk/groups", str(file), "--received-at", received_at, "--json")
        assert call(tmp_path, *arguments) == 0
        told += json.loads(capsys.readouterr().out)
    assert [item["is_new"] for item in told] == [True, False]
    (delivery,) = list_deliveries(Settings(home=tmp_path))
    assert {item["delivery_id"] for item in told} == {delivery.delivery_id}
    assert delivery.delivery_id.startswith("2025-03-01T020000Z-")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("land", "zendesk/grops", "groups.ndjson"), "No contract describes zendesk/grops"),
        (("land", "zendesk/groups", "absent.ndjson"), "There is no such file"),
        (("land", "zendesk/groups", "groups.ndjson", "--received-at", "now"), "is no instant"),
    ],
)
def test_what_cannot_be_landed_is_wrong_usage(
    tmp_path: Path,
    file: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(file.parent)
    assert call(tmp_path / "home", *arguments) == 2
    assert said in capsys.readouterr().err
    assert list_deliveries(Settings(home=tmp_path / "home")) == []


def test_the_list_counts_what_landed_what_waits_and_what_is_in_quarantine(
    tmp_path: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(tmp_path, "land", "zendesk/groups", str(file)) == 0
    capsys.readouterr()

    def listed() -> tuple[int, int, int, str | None]:
        assert call(tmp_path, "list", "--json") == 0
        tables = json.loads(capsys.readouterr().out)
        (table,) = [t for t in tables if (t["source"], t["entity"]) == ("zendesk", "groups")]
        return (
            table["delivery_count"],
            table["waiting_count"],
            table["quarantined_count"],
            table["last_status"],
        )

    assert listed() == (1, 1, 0, None)
    load_deliveries(Settings(home=tmp_path), None)
    assert listed() == (1, 0, 1, "loaded")
