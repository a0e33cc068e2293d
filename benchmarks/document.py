"""docs/benchmarks.md: each benchmark owns one section of it, between markers of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

_OPENING = """# Benchmarks

Written by the commands named in each section; nothing here is typed by hand. Seconds and CPU depend on the machine and on what else it does: trust ratios more than seconds.
"""  # noqa: E501


def write_section(path: Path, name: str, text: str) -> None:
    """Replace one benchmark's section, or add it at the end; leave all other text as it is.

    Args:
        path: The document; it is begun where it is missing.
        name: The benchmark, such as `smoke`.
        text: The section, Markdown with a heading of level two.

    Raises:
        ValueError: The section's own markers are there more than once, or one of them is missing.
    """
    begin, end = (f"<!-- benchmark {name}: {edge} -->" for edge in ("begin", "end"))
    before = path.read_text(encoding="utf-8") if path.exists() else _OPENING
    section = f"{begin}\n{text.strip()}\n{end}"
    found = (before.count(begin), before.count(end))
    if found == (0, 0):
        after = f"{before.rstrip()}\n\n{section}\n"
    elif found == (1, 1) and before.index(begin) < before.index(end):
        after = before[: before.index(begin)] + section + before[before.index(end) + len(end) :]
    else:
        raise ValueError(f"{path}: the markers of section {name} do not form one pair.")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(after, encoding="utf-8")


def section_of(document: str, name: str) -> str | None:
    """The text of one benchmark's section, or None."""
    pattern = f"<!-- benchmark {re.escape(name)}: begin -->\n(.*?)\n<!-- benchmark {re.escape(name)}: end -->"  # noqa: E501
    found = re.search(pattern, document, re.DOTALL)
    return found.group(1) if found else None


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose first column is text and whose others are numbers."""
    lines = [columns, ["---", *["---:" for _ in columns[1:]]], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
