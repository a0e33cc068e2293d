"""Workbooks without the rows that go: one sheet of texts, as the loader reads them (ECMA-376).

Belongs here: writing the least that is a workbook. A value is written as the text that the loader
made of it, so the same record comes out of it; formats, formulas and other sheets go, since they
may name the person too.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape, quoteattr

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
# What XML cannot hold, and what looks like the way in which workbooks write it.
_UNWRITABLE = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_WRITTEN_AT = (1980, 1, 1, 0, 0, 0)


def write_workbook(sheet: str, header: Sequence[str], records: Iterable[str]) -> bytes:
    """A workbook of one sheet.

    Args:
        sheet: Its name.
        header: Names of the columns.
        records: Rows as `workbooks.workbook_records` gives them: JSON by the header's names, or a
            list of that and of what stood beyond the header.
    """
    rows = [_row(list(header)), *(_row(_cells(header, json.loads(text))) for text in records)]
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPE}.worksheet+xml"/>'
        "</Types>",
        "_rels/.rels": _relationship("officeDocument", "xl/workbook.xml"),
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}"><sheets>'
        f'<sheet name={quoteattr(sheet)} sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": _relationship("worksheet", "worksheets/sheet1.xml"),
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{_MAIN}"><sheetData>{"".join(rows)}'
        "</sheetData></worksheet>",
    }
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, text in parts.items():
            member = zipfile.ZipInfo(name, _WRITTEN_AT)
            archive.writestr(member, _HEAD + text, zipfile.ZIP_DEFLATED)
    return sink.getvalue()


def _relationship(kind: str, target: str) -> str:
    return (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="r1" Type="{_RELATIONS}/{kind}" Target="{target}"/></Relationships>'
    )


def _cells(header: Sequence[str], record: object) -> list[str | None]:
    beyond: list[str | None] = []
    if isinstance(record, list):
        record, beyond = record
    assert isinstance(record, dict)
    return [record.get(name) for name in header] + beyond


def _row(cells: Sequence[str | None]) -> str:
    return f"<row>{''.join(map(_cell, cells))}</row>"


def _cell(text: str | None) -> str:
    if text is None:
        return "<c/>"
    written = _UNWRITABLE.sub(lambda found: f"_x{ord(found.group()):04X}_", text)
    return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(written)}</t></is></c>'
