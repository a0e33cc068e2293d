"""What a folder or a pattern lands, and what is left alone."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ingest_home import ask, group, lines

from orchestration.cli.main import _run
from orchestration.ingest.gathering import gather_files
from orchestration.ingest.landing import list_deliveries
from orchestration.ingest.loader import load_deliveries
from orchestration.settings import Settings


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """A folder with two finished exports and much that is none."""
    folder = tmp_path / "in"
    (folder / "older").mkdir(parents=True)
    (folder / "b.ndjson").write_text(lines([group(1)]))
    (folder / "older" / "a.jsonl.gz").write_bytes(b"")
    (folder / "c.ndjson.part").write_text(lines([group(2)]))
    (folder / ".d.ndjson").write_text(lines([group(3)]))
    (folder / "readme.txt").write_text("-")
    for path in folder.rglob("*"):
        os.utime(path, (1_000_000, 1_000_000))
    return folder


def names(files: list[Path]) -> list[str]:
    return [file.name for file in files]


def test_a_folder_is_its_finished_files(inbox: Path) -> None:
    (inbox / "e.ndjson").write_text("")
    os.utime(inbox / "e.ndjson", (1_999_995, 1_999_995))
    found = gather_files([str(inbox)], now=2_000_000)
    assert names(found.files) == ["b.ndjson", "a.jsonl.gz"]
    assert {file.name: reason.split()[-1] for file, reason in found.left_alone} == {
        "c.ndjson.part": "finished",
        ".d.ndjson": "hidden",
        "readme.txt": "name",
        "e.ndjson": "ago",
    }
    again = gather_files([str(inbox)], now=2_000_006)
    assert names(again.files) == ["b.ndjson", "e.ndjson", "a.jsonl.gz"]


def test_a_pattern_and_a_name_give_each_file_once(inbox: Path) -> None:
    found = gather_files([str(inbox / "*.ndjson"), str(inbox / "b.ndjson")], now=2_000_000)
    assert names(found.files) == ["b.ndjson"]


def test_a_file_that_a_process_writes_is_left_alone_even_by_name(inbox: Path) -> None:
    file = inbox / "b.ndjson"
    script = "import sys; f = open(sys.argv[1], 'a'); print(flush=True); input()"
    writer = subprocess.Popen(
        [sys.executable, "-c", script, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert writer.stdout is not None and writer.stdout.readline()
    try:
        found = gather_files([str(file)], now=2_000_000)
        assert found.left_alone == [(file, "a process has it open for writing")]
    finally:
        writer.communicate(b"\n")
    assert gather_files([str(file)], now=2_000_000).files == [file]


def test_the_command_lands_a_folder_and_tells_what_it_left(
    tmp_path: Path, inbox: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--home", str(tmp_path), "sources", "land", "zendesk/groups", str(inbox), "--json"]
    assert _run(arguments) == 0
    told = json.loads(capsys.readouterr().out)
    assert [item.get("is_new") for item in told] == [True, True, None, None, None]
    assert {d.file_name for d in list_deliveries(Settings(home=tmp_path))} == {
        "groups.ndjson",
        "groups.ndjson.gz",
    }
    empty = tmp_path / "empty"
    empty.mkdir()
    assert _run([*arguments[:-2], str(empty)]) == 2


@pytest.mark.parametrize(
    ("sidecar", "text", "said"),
    [
        (".sha256", "0" * 64 + "  b.ndjson\n", "not the one that its deliverer sent beside it"),
        (".rows", "2\n", "the manifest counts 2 rows, the file has 1"),
        (".sha256", None, None),
        (".rows", "1", None),
    ],
)
def test_what_stands_beside_a_file_is_honoured(
    tmp_path: Path, inbox: Path, sidecar: str, text: str | None, said: str | None
) -> None:
    file = inbox / "b.ndjson"
    right = hashlib.sha256(file.read_bytes()).hexdigest() + "  b.ndjson\n"
    file.with_name(file.name + sidecar).write_text(right if text is None else text)
    assert _run(["--home", str(tmp_path), "sources", "land", "zendesk/groups", str(file)]) == 0
    settings = Settings(home=tmp_path)
    load_deliveries(settings, None)
    ((status, reason),) = ask(settings, "select status, reason from ingest.deliveries")
    assert (status, said is None or said in reason) == ("refused" if said else "loaded", True)


def test_a_sidecar_that_says_nothing_is_wrong_usage(
    tmp_path: Path, inbox: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (inbox / "b.ndjson.rows").write_text("many")
    file = str(inbox / "b.ndjson")
    assert _run(["--home", str(tmp_path), "sources", "land", "zendesk/groups", file]) == 2
    assert "b.ndjson.rows" in capsys.readouterr().err
    assert list_deliveries(Settings(home=tmp_path)) == []
