"""Records: delivered files rewritten so that a set-based reader finds one record on each line.

NDJSON needs it only when lines are not plain. CSV always does: a record may span lines, and a
broken one must cost no other. A rewritten CSV record is its fields in the contract's order,
separated by FIELD; the original follows as one more field where it cannot be put together again
from them. A line that starts with BROKEN is a record that could not be read.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestration.ingest.contracts import Contract
from orchestration.ingest.guards import Refused, open_chunks
from orchestration.ingest.landing import Delivery

FIELD = "\x1f"
NEWLINE = "\x1e"
BROKEN = "\x1d"
MAX_RECORD_LINES = 200
_CONTROLS = (FIELD, NEWLINE, BROKEN)


@dataclass(frozen=True)
class Rewritten:
    """A rewritten file.

    Args:
        path: Where it was written; one record a line, plain UTF-8.
        record_count: Its lines.
        header: Column names of a CSV in the order of the file; empty for NDJSON.
    """

    path: Path
    record_count: int
    header: tuple[str, ...]


def rewrite_ndjson(delivery: Delivery, target: Path) -> Rewritten:
    """Write the records without byte order mark, carriage returns and empty lines."""
    count = 0
    with target.open("w", encoding="utf-8", newline="") as file:
        for line in _lines(delivery):
            if line:
                file.write(line + "\n")
                count += 1
    return Rewritten(target, count, ())


def rewrite_csv(delivery: Delivery, contract: Contract, target: Path) -> Rewritten:
    """Write the records' fields in the order of the contract's columns.

    Raises:
        Refused: The file has no header, or one that names a column twice.
    """
    lines = _lines(delivery)
    header = _header(lines)
    places = _places(header, contract)
    is_in_order = places == list(range(len(header)))
    count = 0
    with target.open("w", encoding="utf-8", newline="") as file:
        for fields, original in split_records(lines, len(header)):
            count += 1
            if fields is None or any(c in original for c in _CONTROLS):
                file.write(BROKEN + _one_line(original) + "\n")
            elif is_in_order and '"' not in original:
                file.write(FIELD.join(fields) + "\n")
            else:
                ordered = ["" if place is None else fields[place] for place in places]
                ordered = [_one_line(field) for field in ordered] + [_one_line(original)]
                file.write(FIELD.join(ordered) + "\n")
    return Rewritten(target, count, tuple(header))


def split_records(lines: Iterator[str], width: int) -> Iterator[tuple[list[str] | None, str]]:
    """Split lines of a CSV file into records of `width` fields.

    A line whose quotes never close, or close at a record of another width, is broken by itself:
    reading goes on with the line after it.

    Yields:
        The fields, or None for a broken record, and the original text.
    """
    waiting: deque[str] = deque()

    def following() -> str | None:
        return waiting.popleft() if waiting else next(lines, None)

    while (line := following()) is not None:
        if '"' not in line:
            if line:
                fields = line.split(",")
                yield (fields if len(fields) == width else None), line
            continue
        taken = [line]
        is_open = line.count('"') % 2 == 1
        while is_open and len(taken) < MAX_RECORD_LINES:
            more = following()
            if more is None:
                break
            taken.append(more)
            is_open ^= more.count('"') % 2 == 1
        parsed = None if is_open else _parse("\n".join(taken), width)
        if parsed is not None:
            yield parsed, "\n".join(taken)
        else:
            yield None, line
            waiting.extendleft(reversed(taken[1:]))


def _parse(text: str, width: int) -> list[str] | None:
    try:
        rows = list(csv.reader([text], strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 and len(rows[0]) == width else None


def _lines(delivery: Delivery) -> Iterator[str]:
    rest = b""
    is_first = True
    for chunk in open_chunks(delivery):
        *whole, rest = (rest + chunk).split(b"\n")
        for raw in whole:
            yield _text(raw, is_first)
            is_first = False
    if rest:
        yield _text(rest, is_first)


def _text(raw: bytes, is_first: bool) -> str:
    return raw.decode("utf-8-sig" if is_first else "utf-8").removesuffix("\r")


def _header(lines: Iterator[str]) -> list[str]:
    first = next(lines, None)
    if not first:
        raise Refused("the file has no header")
    header = next(csv.reader([first]))
    doubled = sorted({name for name in header if header.count(name) > 1})
    if doubled:
        raise Refused(f"the header names the column {doubled[0]!r} twice")
    return header


def _places(header: list[str], contract: Contract) -> list[int | None]:
    return [
        header.index(column.path) if column.path in header else None for column in contract.columns
    ]


def _one_line(text: str) -> str:
    return text.replace("\n", NEWLINE).replace("\r", "")
