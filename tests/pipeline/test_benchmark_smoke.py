"""The smoke benchmark measures every stage of a small company and writes what it found."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.document import section_of
from benchmarks.smoke import ROOT, SECTION, STEPS, main


@pytest.mark.slow
def test_every_stage_is_measured_for_all_nights_and_for_one(tmp_path: Path) -> None:
    output = tmp_path / "benchmarks.md"
    main(["--customers", "200", "--nights", "3", "--output", str(output)])
    section = section_of(output.read_text(encoding="utf-8"), SECTION)
    assert section is not None
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section.splitlines()
        if line.startswith("|")
    ]
    for step in (*STEPS.values(), "all steps"):
        full, night = (row for row in rows if row[0] == step)
        assert len(night) == len(full) + 1
        assert all(float(figure) > 0 for figure in full[1:4] + night[1:4])
    assert [row[0] for row in rows].count("plain reading, full") == 1


def test_the_document_holds_what_the_command_wrote() -> None:
    document = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    section = section_of(document, SECTION)
    assert section is not None
    assert all(f"| {step} |" in section for step in STEPS.values())
