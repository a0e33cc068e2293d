"""`docs/reliability.md`: what the reliability suite proved, with its figures."""

from __future__ import annotations

from orchestration.settings import REPO_ROOT

PATH = REPO_ROOT / "docs" / "reliability.md"
_HEAD = """# Reliability of a publication

Written by `make test-slow` and `make test-long`; each line is a test of `tests/reliability` with
the figures that it found the last time. A session is several queries with moments between them.
*Torn* is a session that saw rows of two releases, *invalid* one that could not read at all.

| proof | figures |
|---|---|
"""


class Document:
    """Lines of the table, by proof."""

    def __init__(self) -> None:
        self._lines = self._read()

    def add(self, proof: str, figures: str) -> None:
        """State what a proof found, in place of what it found before."""
        self._lines[proof] = figures

    def write(self) -> None:
        """Write the page, in the order of the proofs' names."""
        lines = [f"| {proof} | {self._lines[proof]} |" for proof in sorted(self._lines)]
        PATH.write_text(_HEAD + "\n".join(lines) + "\n", encoding="utf-8")

    def _read(self) -> dict[str, str]:
        if not PATH.exists():
            return {}
        rows = [line.split(" | ", 1) for line in PATH.read_text("utf-8").splitlines()]
        found = {row[0].removeprefix("| "): row[1].removesuffix(" |") for row in rows if row[1:]}
        found.pop("proof", None)
        return found
