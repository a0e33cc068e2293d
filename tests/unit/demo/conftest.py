"""One demo company, generated once for the tests of this folder, which only read it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from demo_rows import CUSTOMERS, NIGHTS

from orchestration.demo.company import build_company
from orchestration.settings import Settings


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "home"
    build_company(Settings(home=folder), customers=CUSTOMERS, nights=NIGHTS)
    return folder


@pytest.fixture(scope="module")
def truth(home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with a view per truth table."""
    connection = duckdb.connect()
    for path in (home / "truth").glob("*.parquet"):
        connection.execute(f"create view {path.stem} as select * from '{path}'")
    yield connection
    connection.close()
