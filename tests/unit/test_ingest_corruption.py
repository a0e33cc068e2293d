"""Files damaged before and after they land, in every format: 20 each here, 200 each where slow.

What no reader can detect (a letter flipped in plain text, a cut at the end of a line) is measured
by `python -m benchmarks.corruption`; a sidecar that a source delivers with its file catches it.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import pytest
from ingest_home import land, project

from benchmarks.corruption.__main__ import measure, rendered
from benchmarks.corruption.files import FORMATS, rows_of
from benchmarks.corruption.trials import (
    CHANGED,
    MISSING,
    OUTCOMES,
    QUARANTINED,
    REFUSED,
    SAME,
    Trial,
    run_trials,
)
from orchestration.ingest.loader import load_deliveries

PLAIN = ("CSV", "NDJSON", "JSON")
LINES = ("CSV", "NDJSON")
COUNTS = pytest.mark.parametrize("count", [20, pytest.param(200, marks=pytest.mark.slow)])
EACH = pytest.mark.parametrize("name", list(FORMATS))


def is_at_line_end(trial: Trial) -> bool:
    return trial.place == 0 or trial.whole[trial.place - 1 : trial.place] == b"\n"


@COUNTS
@EACH
def test_a_file_damaged_before_it_lands(tmp_path: Path, name: str, count: int) -> None:
    trials = run_trials(tmp_path, FORMATS[name], count)
    assert Counter(trial.damage for trial in trials) == {"cut": count, "flip": count}
    for trial in trials:
        if trial.damage == "cut":
            # Only between lines is there nothing to see of a cut.
            expected = {MISSING} if name in LINES and is_at_line_end(trial) else {REFUSED}
            # Nothing is left of a file of lines but its header, or not even that.
            expected |= {REFUSED} if name == "CSV" and trial.place == 0 else set()
        elif name in PLAIN or name in ("Parquet", "NDJSON, zstd without a checksum"):
            expected = set(OUTCOMES)
        elif name == "Parquet with page checksums":
            # The footer has no checksum: a column may get another name.
            expected = {REFUSED, SAME, QUARANTINED}
        else:
            expected = {REFUSED, SAME}
        assert trial.outcome in expected, trial
    caught = {trial.outcome for trial in trials if trial.damage == "flip"}
    assert caught & {REFUSED, QUARANTINED}


@COUNTS
@EACH
def test_a_file_damaged_after_it_landed_is_refused(tmp_path: Path, name: str, count: int) -> None:
    trials = run_trials(tmp_path, FORMATS[name], count, is_landed_first=True)
    assert len(trials) == 2 * count
    for trial in trials:
        assert trial.outcome == REFUSED, trial


@COUNTS
@pytest.mark.parametrize("name", [*PLAIN, "Parquet", "Excel"])
def test_a_hash_beside_the_file_catches_all(tmp_path: Path, name: str, count: int) -> None:
    for trial in run_trials(tmp_path, FORMATS[name], count, sidecar="sha256"):
        assert trial.outcome == REFUSED, trial


@COUNTS
@pytest.mark.parametrize("name", LINES)
def test_a_row_count_beside_the_file_catches_every_cut(
    tmp_path: Path, name: str, count: int
) -> None:
    trials = run_trials(tmp_path, FORMATS[name], count, sidecar="rows")
    assert {trial.outcome for trial in trials if trial.damage == "cut"} == {REFUSED}
    assert MISSING not in {trial.outcome for trial in trials}


@COUNTS
@pytest.mark.parametrize("name", LINES)
def test_a_trailer_catches_every_cut(tmp_path: Path, name: str, count: int) -> None:
    plain = FORMATS[name]

    def with_trailer(rows: list) -> bytes:
        return plain.write(rows) + f"#{len(rows)}\n".encode()

    format_ = dataclasses.replace(plain, write=with_trailer)
    trials = run_trials(tmp_path, format_, count, trailer=r"#(\d+)")
    assert {trial.outcome for trial in trials if trial.damage == "cut"} == {REFUSED}


@COUNTS
@pytest.mark.parametrize("name", LINES)
def test_where_no_final_newline_is_expected_a_cut_record_is_quarantined(
    tmp_path: Path, name: str, count: int
) -> None:
    cuts = [
        trial
        for trial in run_trials(tmp_path, FORMATS[name], count, finalNewline=False)
        if trial.damage == "cut"
    ]
    for trial in cuts:
        if trial.outcome == CHANGED:
            # In the last column of a CSV file nothing tells a shorter value from a whole one.
            assert name == "CSV" and trial.columns == ("responded_at",), trial
        elif trial.outcome == MISSING:
            rest = trial.whole[trial.place :].split(b"\n")[0]
            # An offset of +00 says what +00:00 says.
            is_whole = not rest or (name == "CSV" and b":00".endswith(rest))
            # Of a header that is cut off there are no rows to quarantine; its columns are drift.
            is_header = name == "CSV" and b"\n" not in trial.whole[: trial.place]
            assert is_at_line_end(trial) or is_whole or is_header, trial
    assert QUARANTINED in {trial.outcome for trial in cuts}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_carriage_return_within_a_line_costs_that_row_alone(tmp_path: Path, end: str) -> None:
    # DuckDB takes a lone one for a line's end: the ledger was out by a row, and the load failed.
    settings = project(tmp_path, "surveys/pulses", rateBound=1.0)
    lines = FORMATS["CSV"].write(rows_of(1, 8)).decode().splitlines()
    lines[1] = lines[1].replace("question", "ques\rtion")
    land(settings, "surveys/pulses", "".join(line + end for line in lines), suffix=".csv")
    report = load_deliveries(settings, None)
    assert (report.accepted, report.quarantined) == (7, 1)


def test_a_carriage_return_between_the_members_of_a_record_is_white_space(tmp_path: Path) -> None:
    settings = project(tmp_path, "surveys/pulses", format="ndjson", rateBound=1.0)
    text = FORMATS["NDJSON"].write(rows_of(1, 4)).decode()
    broken = FORMATS["NDJSON"].write(rows_of(2, 1)).decode().replace("support", "sup\rport")
    land(settings, "surveys/pulses", text.replace('", "', '",\r"') + broken)
    report = load_deliveries(settings, None)
    assert (report.accepted, report.quarantined) == (4, 1)


def test_a_parquet_file_that_one_reader_alone_takes_is_refused_alone(tmp_path: Path) -> None:
    # A converted type that does not fit stopped the load of all files beside it.
    settings = project(tmp_path, "surveys/pulses", format="parquet")
    whole = FORMATS["Parquet"].write(rows_of(1, 4))
    land(settings, "surveys/pulses", whole, suffix=".parquet")
    for number, place in enumerate(range(len(whole) - 1200, len(whole) - 8)):
        if number % 25 == 0:
            other = FORMATS["Parquet"].write(rows_of(2 + number, 4))
            place += len(other) - len(whole)
            flipped = other[:place] + bytes([other[place] ^ 2]) + other[place + 1 :]
            land(settings, "surveys/pulses", flipped, suffix=".parquet")
    report = load_deliveries(settings, None)
    assert report.accepted >= 4 and len(report.refused) > 8


def test_the_figures_count_every_file(tmp_path: Path) -> None:
    text = rendered(measure(2, ["CSV", "Excel"]), 2)
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| CSV | ")]
    assert [sum(int(cell.strip(" |")) for cell in row[1:]) for row in rows[:2]] == [2, 2]
