"""Workbooks: the rows of an Excel sheet as JSON records of texts, under the names of its header.

Excel keeps numbers as floating point and times without a zone. A whole number is written without
a fraction; one of more digits than Excel can hold is written in a way that no identifier passes
(see the rule `inexact_identifier`).
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Iterator
from typing import Any

from orchestration.ingest.contracts import Contract
from orchestration.ingest.landing import Delivery
from orchestration.ingest.unpacking import Refused

# Excel keeps 15 digits; beyond them it writes zeros of its own.
_EXACT_BELOW = 10**15


def workbook_records(delivery: Delivery, contract: Contract) -> tuple[list[str], Iterator[str]]:
    """The header of the contract's sheet (the first one where it names none) and its records.

    Raises:
        Refused: The workbook cannot be read, lacks the sheet, or its header is not one.
    """
    from python_calamine import CalamineError, load_workbook

    try:
        workbook = load_workbook(str(delivery.file))
        name = _sheet_of(workbook.sheet_names, contract)
        rows = iter(workbook.get_sheet_by_name(name).iter_rows())
    except CalamineError as error:
        raise Refused(f"the workbook cannot be read: {error}") from error
    header = [_text(cell) for cell in next(rows, [])]
    while header and header[-1] is None:
        header.pop()
    named = [name for name in header if name is not None]
    if not named or len(named) != len(header):
        raise Refused("the sheet's first row is no header: a name is missing")
    doubled = sorted({name for name in named if named.count(name) > 1})
    if doubled:
        raise Refused(f"the header names the column {doubled[0]!r} twice")
    return named, _records(named, rows)


def sheet_name(delivery: Delivery, contract: Contract) -> str:
    """The name of the sheet that is read.

    Raises:
        Refused: The workbook lacks it.
    """
    from python_calamine import load_workbook

    return _sheet_of(load_workbook(str(delivery.file)).sheet_names, contract)


def _sheet_of(names: list[str], contract: Contract) -> str:
    name = contract.sheet or (names[0] if names else "")
    if name not in names:
        raise Refused(f"the workbook has no sheet {name!r}; it has {', '.join(names)}")
    return name


def _records(header: list[str], rows: Iterator[list[Any]]) -> Iterator[str]:
    for row in rows:
        texts = [_text(cell) for cell in row]
        if any(text is not None for text in texts):
            record: dict[str, object] = dict(zip(header, texts, strict=False))
            beyond = [text for text in texts[len(header) :] if text is not None]
            # A value under no name: the record is no record of this header.
            yield json.dumps(record if not beyond else [record, beyond], ensure_ascii=False)


def _text(cell: Any) -> str | None:
    if cell is None or cell == "":
        return None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int | float):
        return _number(cell)
    if isinstance(cell, dt.datetime):
        is_day = cell.time() == dt.time()
        return cell.date().isoformat() if is_day else cell.isoformat(sep=" ")
    if isinstance(cell, dt.date | dt.time):
        return cell.isoformat()
    return str(cell)


def _number(value: float) -> str:
    if math.isfinite(value) and value == int(value):
        return str(int(value)) if abs(value) < _EXACT_BELOW else f"{value:.16e}"
    return repr(value)
