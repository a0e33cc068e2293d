"""The benchmarks' document keeps each section apart; a measurement is of one process alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.document import section_of, table, write_section
from benchmarks.measuring import MEBIBYTE, measured


def test_a_section_replaces_itself_and_leaves_the_others(tmp_path: Path) -> None:
    path = tmp_path / "docs" / "benchmarks.md"
    write_section(path, "first", "## First\n\nold")
    write_section(path, "second", "## Second\n\nother")
    write_section(path, "first", "## First\n\nnew")
    document = path.read_text(encoding="utf-8")
    assert document.startswith("# Benchmarks\n")
    assert section_of(document, "first") == "## First\n\nnew"
    assert section_of(document, "second") == "## Second\n\nother"
    assert section_of(document, "third") is None
    assert "old" not in document
    assert document.index("## First") < document.index("## Second")


def test_a_document_with_a_broken_pair_of_markers_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "benchmarks.md"
    write_section(path, "first", "## First")
    broken = path.read_text(encoding="utf-8").replace("<!-- benchmark first: end -->", "")
    path.write_text(broken, encoding="utf-8")
    with pytest.raises(ValueError, match="markers of section first"):
        write_section(path, "first", "## Again")
    assert path.read_text(encoding="utf-8") == broken


def test_a_table_is_text_first_and_numbers_after() -> None:
    assert table(("what", "s"), [["read", "1.0"]]) == "| what | s |\n| --- | ---: |\n| read | 1.0 |"


def _program(folder: Path, text: str) -> dict[str, str]:
    (folder / "measured_program.py").write_text(text, encoding="utf-8")
    return {"PYTHONPATH": str(folder)}


def test_a_measurement_is_what_its_process_took_and_said(tmp_path: Path) -> None:
    environment = _program(
        tmp_path,
        "import pathlib, sys\n"
        f"held = b'x' * (64 * {MEBIBYTE})\n"
        "pathlib.Path(sys.argv[-1]).write_text('{\"rows\": 3}')\n",
    )
    found = measured("hold", "measured_program", [], environment, 1024 * MEBIBYTE)
    assert found.facts == {"rows": 3}
    assert found.peak_bytes > 64 * MEBIBYTE
    assert found.seconds > 0
    assert found.cpu_seconds > 0


def test_a_process_past_its_limit_fails_the_measurement_and_says_so(tmp_path: Path) -> None:
    environment = _program(tmp_path, f"held = b'x' * (2048 * {MEBIBYTE})\n")
    with pytest.raises(RuntimeError, match=r"exit code 1 \(limit 512 MiB\)") as told:
        measured("hold", "measured_program", [], environment, 512 * MEBIBYTE)
    assert "MemoryError" in str(told.value)
