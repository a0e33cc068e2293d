"""Records: delivered files rewritten so that a set-based reader finds one record on each line.

NDJSON needs it only when lines are not plain, JSON and workbooks always. So does CSV with quotes: a
record may span lines, and a broken one must cost no other. A rewritten CSV record is its fields in
the contract's order, separated by FIELD; the original follows as one more field where it cannot be
put together again from them. A line that starts with BROKEN is a record that could not be read.
"""

from __future__ import annotations

import csv
import json
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestration.connectors.raw_json import slice_records
from orchestration.ingest.contracts import DELIMITERS, Contract
from orchestration.ingest.guards import MAX_LINE_BYTES
from orchestration.ingest.json_records import split_documents
from orchestration.ingest.landing import Delivery
from orchestration.ingest.reading import column_places
from orchestration.ingest.unpacking import Refused, open_text
from orchestration.ingest.workbooks import workbook_records

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


def rewrite(delivery: Delivery, contract: Contract, target: Path) -> Rewritten:
    """Write the records of a delivered file, one a line.

    Raises:
        Refused: The file is not what its format promises, or its trailer counts other rows.
    """
    if contract.format == "csv":
        return _rewrite_csv(delivery, contract, target)
    header: list[str] = []
    if contract.format == "xlsx":
        header, records = workbook_records(delivery, contract)
    elif contract.format == "json":
        records = split_documents(delivery, contract)
    else:
        records = (line for line in _rows(delivery, contract) if line)
        if contract.rows_in is not None:
            records = nested_rows(records, contract.rows_in)
    count = 0
    with target.open("w", encoding="utf-8", newline="") as file:
        for record in records:
            # As white space the two mean the same, in a text neither may stand; a line ends at one.
            file.write(record.replace("\r", "\t") + "\n")
            count += 1
    return Rewritten(target, count, tuple(header))


def plain_header(delivery: Delivery, contract: Contract) -> tuple[str, ...]:
    """The header of a CSV file whose lines are plain."""
    return tuple(_header(_lines(delivery, contract), contract))


def _rewrite_csv(delivery: Delivery, contract: Contract, target: Path) -> Rewritten:
    """Write the records' fields in the order of the contract's columns."""
    csv.field_size_limit(MAX_LINE_BYTES)
    lines = _rows(delivery, contract)
    header = list(contract.header) or _header(lines, contract)
    places = column_places(contract, header)
    is_in_order = places == list(range(len(header)))
    count = 0
    with target.open("w", encoding="utf-8", newline="") as file:
        for fields, original in split_rows(lines, len(header), contract):
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


def split_rows(
    lines: Iterator[str], width: int, contract: Contract
) -> Iterator[tuple[list[str] | None, str]]:
    """Split lines of a CSV file as its contract says; yields as `split_records`."""
    split = split_records if contract.has_quotes else _split_plain
    return split(lines, width, contract.delimiter)


def split_records(
    lines: Iterator[str], width: int, delimiter: str = ","
) -> Iterator[tuple[list[str] | None, str]]:
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
                yield _plain_fields(line, width, delimiter), line
            continue
        taken = [line]
        is_open = line.count('"') % 2 == 1
        while is_open and len(taken) < MAX_RECORD_LINES:
            more = following()
            if more is None:
                break
            taken.append(more)
            is_open ^= more.count('"') % 2 == 1
        parsed = None if is_open else _parse("\n".join(taken), width, delimiter)
        if parsed is not None:
            yield parsed, "\n".join(taken)
        else:
            yield None, line
            waiting.extendleft(reversed(taken[1:]))


def _split_plain(
    lines: Iterator[str], width: int, delimiter: str
) -> Iterator[tuple[list[str] | None, str]]:
    """Split lines of a file in which a double quote is a character; yields as `split_records`."""
    for line in lines:
        if line:
            yield _plain_fields(line, width, delimiter), line


def _plain_fields(line: str, width: int, delimiter: str) -> list[str] | None:
    """The fields of a line without quotes; a carriage return within it ends no record."""
    fields = line.split(delimiter)
    return fields if len(fields) == width and "\r" not in line else None


def nested_rows(records: Iterator[str], name: str) -> Iterator[str]:
    """Each element of the array `name` of a record, under that name, with the rest of the record.

    A record that holds no such array stays whole, one that was taken apart before among them.
    """
    for record in records:
        try:
            document = json.loads(record)
            elements = slice_records(record, name)
        except (ValueError, RecursionError):
            yield record
            continue
        if not isinstance(document, dict) or not isinstance(document.get(name), list):
            yield record
            continue
        del document[name]
        rest = json.dumps(document, ensure_ascii=False)
        for element in elements:
            comma = "" if rest == "{}" else ", "
            yield f"{rest[:-1]}{comma}{json.dumps(name)}: {element}}}"


def _parse(text: str, width: int, delimiter: str) -> list[str] | None:
    try:
        rows = list(csv.reader([text], strict=True, delimiter=delimiter))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 and len(rows[0]) == width else None


def _rows(delivery: Delivery, contract: Contract) -> Iterator[str]:
    """The lines without the trailer, which has to count them."""
    if contract.trailer is None:
        yield from _lines(delivery, contract)
        return
    # The header of a CSV file is no row.
    count = -1 if contract.format == "csv" and not contract.header else 0
    held: str | None = None
    for line in _lines(delivery, contract):
        if not line:
            continue
        if held is not None:
            count += 1
            yield held
        held = line
    found = re.fullmatch(contract.trailer, held or "")
    if found is None:
        raise Refused("the trailer that counts the rows is missing: the file is cut off")
    if int(found.group(1)) != count:
        raise Refused(f"the trailer counts {found.group(1)} rows, the file has {count} lines")


def _lines(delivery: Delivery, contract: Contract) -> Iterator[str]:
    rest = b""
    is_first = True
    for chunk in open_text(delivery, contract):
        *whole, rest = (rest + chunk).split(b"\n")
        for raw in whole:
            yield _text(raw, is_first)
            is_first = False
    if rest:
        yield _text(rest, is_first)


def _text(raw: bytes, is_first: bool) -> str:
    return raw.decode("utf-8-sig" if is_first else "utf-8").removesuffix("\r")


def _header(lines: Iterator[str], contract: Contract) -> list[str]:
    first = next(lines, None)
    if not first:
        raise Refused("the file has no header")
    header = next(csv.reader([first], delimiter=contract.delimiter))
    others = [mark for mark in DELIMITERS if mark in first and mark != contract.delimiter]
    if len(header) == 1 and others:
        raise Refused(
            f"the header is one column: fields seem to be separated by {others[0]!r}, "
            f"the contract's delimiter is {contract.delimiter!r}"
        )
    doubled = sorted({name for name in header if header.count(name) > 1})
    if doubled:
        raise Refused(f"the header names the column {doubled[0]!r} twice")
    return header


def _one_line(text: str) -> str:
    return text.replace("\r\n", NEWLINE).replace("\n", NEWLINE).replace("\r", NEWLINE)
