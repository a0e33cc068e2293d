"""Figures of the reliability suite, written to docs/reliability.md when it has run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "unit"))

from document import Document


@pytest.fixture(scope="session")
def document() -> Iterator[Document]:
    """Collects what each proof found."""
    collected = Document()
    yield collected
    collected.write()
