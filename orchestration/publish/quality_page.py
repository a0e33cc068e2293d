"""`quality.html`: what the audit found, on one page that opens from disk.

Belongs here: rendering verdicts. It names no row: samples stay in the log of a refusal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from orchestration.gate.audit import PASSED, CheckResult

FILE_NAME = "quality.html"
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem }
tr { border-bottom: 1px solid #ddd }
td.number { text-align: right }
.passed { color: #1a7f37 } .warned { color: #9a6700 } .failed, .overridden { color: #cf222e }
"""


def render_quality_page(
    results: Sequence[CheckResult], rows: Mapping[str, int], deltas: Mapping[str, int], as_of: str
) -> str:
    """The page as HTML, without anything that it would have to fetch.

    Args:
        results: Every check with its verdict.
        rows: Rows per published table.
        deltas: Their change against the release that was current.
        as_of: Instant the release is as of.
    """
    troubled = [result for result in results if result.verdict != PASSED]
    counts = {v: sum(r.verdict == v for r in results) for v in sorted({r.verdict for r in results})}
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        f"<title>Quality as of {escape(as_of)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>Quality of the release as of {escape(as_of)}</h1><p>Checks: {escape(told)}.</p>",
    ]
    if troubled:
        parts.append("<h2>To look at</h2>" + _checks(troubled))
    parts.append("<h2>Tables</h2>" + _tables(rows, deltas))
    parts.append("<h2>All checks</h2>" + _checks(results) + "</body></html>\n")
    return "".join(parts)


def _checks(results: Sequence[CheckResult]) -> str:
    head = ("verdict", "check", "what must hold", "rows that break it", "severity", "owner",
            "first aid")  # fmt: skip
    lines = [
        "<tr>"
        f'<td class="{escape(result.verdict)}">{escape(result.verdict)}</td>'
        f"<td>{escape(result.name)}</td><td>{escape(result.description)}</td>"
        f'<td class="number">{result.failing_count}</td><td>{escape(result.severity)}</td>'
        f"<td>{escape(result.owner)}</td><td>{escape(result.first_aid)}</td></tr>"
        for result in results
    ]
    return _table(head, lines)


def _tables(rows: Mapping[str, int], deltas: Mapping[str, int]) -> str:
    lines = [
        f'<tr><td>{escape(table)}</td><td class="number">{count:,}</td>'
        f'<td class="number">{deltas.get(table, count):+,}</td></tr>'
        for table, count in sorted(rows.items())
    ]
    return _table(("table", "rows", "change"), lines)


def _table(head: Sequence[str], lines: Sequence[str]) -> str:
    cells = "".join(f"<th>{escape(name)}</th>" for name in head)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
