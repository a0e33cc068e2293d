"""Measure what becomes of damaged files: `python -m benchmarks.corruption`.

Writes the section `corruption` of docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.corruption.files import FORMATS
from benchmarks.corruption.trials import (
    CHANGED,
    DAMAGES,
    MISSING,
    OUTCOMES,
    ROWS,
    Trial,
    run_trials,
)
from benchmarks.document import table, write_section
from benchmarks.measuring import versions

ROOT = Path(__file__).resolve().parents[2]
SECTION = "corruption"
_PACKAGES = ("duckdb", "pyarrow", "backports.zstd")
_NAMES = {"cut": "cut off somewhere", "flip": "one bit flipped"}


def measure(count: int, names: Sequence[str] = tuple(FORMATS)) -> dict[str, list[Trial]]:
    """Damage `count` files of each format in each way."""
    found = {}
    for name in names:
        format_ = FORMATS[name]
        with tempfile.TemporaryDirectory() as folder:
            found[name] = run_trials(Path(folder), format_, count)
    return found


def rendered(found: dict[str, list[Trial]], count: int) -> str:
    """The section of the document."""
    today = datetime.now(UTC).date().isoformat()
    parts = [
        "## Files damaged before they land",
        f"`python -m benchmarks.corruption --count {count}` on {today}; "
        f"{versions(['duckdb', 'pyarrow', 'backports.zstd'])}. "
        f"Each file has {ROWS} answers of a survey (texts, a number, a time) and is loaded as any "
        "other, its contract expecting a final newline. *Refused*: nothing of it was taken, and "
        "its reason stands in the row ledger. *Quarantined*: the rows that the damage hit, the "
        "others were taken as they are. *Same rows*: the damage is in nothing that is read. "
        "*Changed values* and *missing rows* are what no reader can detect: a letter or a digit "
        "that became another, a file cut at a line's end. A `.sha256` beside the file catches all "
        "of it, a `.rows` or a trailer every cut; after landing the manifest's sha256 does "
        "(tests/unit/test_ingest_corruption.py).",
    ]
    for damage in DAMAGES:
        lines = []
        for name, trials in found.items():
            outcomes = Counter(trial.outcome for trial in trials if trial.damage == damage)
            lines.append([name, *(str(outcomes[outcome]) for outcome in OUTCOMES)])
        parts += [
            f"{count} files of each format, {_NAMES[damage]}:",
            table(["format", *OUTCOMES], lines),
        ]
    lines = []
    for name, trials in found.items():
        columns = Counter(
            trial.columns[0] if len(trial.columns) == 1 else "several"
            for trial in trials
            if trial.outcome == CHANGED
        )
        if columns or any(trial.outcome == MISSING for trial in trials):
            texts = columns["department"] + columns["question_id"]
            figures = (texts, columns["pulse_id"], columns["score"], columns["responded_at"])
            missing = sum(trial.outcome == MISSING for trial in trials)
            lines.append([name, *map(str, (*figures, columns["several"], missing))])
    kinds = ["format", "a text", "the key", "a number", "a time", "several of them", "rows missing"]
    parts += ["What nobody was told of, by what it hit:", table(kinds, lines)]
    return "\n\n".join(parts)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=200, help="files a format and damage (200)")
    parser.add_argument("--document", type=Path, default=ROOT / "docs" / "benchmarks.md")
    given = parser.parse_args(arguments)
    text = rendered(measure(given.count), given.count)
    write_section(given.document, SECTION, text)
    print(text)


if __name__ == "__main__":
    main()
