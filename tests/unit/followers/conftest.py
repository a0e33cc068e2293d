"""Homes with releases that followers of every kind keep up with."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_TESTS = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(_TESTS / "unit"), str(_TESTS / "connectors")]

import postgres_server  # noqa: E402
import publishing  # noqa: E402

from orchestration.publish.publisher import publish  # noqa: E402
from orchestration.settings import Settings  # noqa: E402


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """A PostgreSQL server of these tests' own."""
    with postgres_server.running_server() as url:
        yield url


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home with one release."""
    settings = publishing.make_home(tmp_path_factory.mktemp("followed"))
    publish(settings, "run-1")
    return settings


@pytest.fixture
def home(published: Settings, tmp_path: Path) -> Settings:
    """A copy of it to change."""
    return publishing.copy_home(published, tmp_path)
