"""Every DuckDB instance of the pipeline is bounded, so that a small machine is enough."""

from pathlib import Path

import pytest

from orchestration import settings, warehouse


def _limit_of(connection: object) -> float:
    (text,) = connection.execute("select current_setting('memory_limit')").fetchone()  # type: ignore[attr-defined]
    number, unit = text.split()
    return float(number) * {"MiB": 1, "GiB": 1024}[unit]


def test_a_connection_takes_the_limit_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOURNEYLINE_MEMORY_LIMIT", "512MiB")
    connection = warehouse.connect(tmp_path / "warehouse.duckdb")
    assert _limit_of(connection) == pytest.approx(512)
    connection.close()


def test_half_of_the_container_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JOURNEYLINE_MEMORY_LIMIT", raising=False)
    limit = tmp_path / "memory.max"
    limit.write_text(f"{1 << 30}\n", encoding="ascii")
    monkeypatch.setattr(settings, "_CGROUP_LIMIT", limit)
    assert settings.memory_limit() == "512MiB"


def test_without_a_container_half_of_the_machine_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JOURNEYLINE_MEMORY_LIMIT", raising=False)
    unlimited = tmp_path / "memory.max"
    unlimited.write_text("max\n", encoding="ascii")
    monkeypatch.setattr(settings, "_CGROUP_LIMIT", unlimited)
    unbounded = settings.memory_limit()
    monkeypatch.setattr(settings, "_CGROUP_LIMIT", tmp_path / "absent")
    assert settings.memory_limit() == unbounded
    connection = warehouse.connect(":memory:")
    share = _limit_of(connection) / (settings._machine_memory() / (1 << 20))
    assert share == pytest.approx(0.5, abs=0.01)
    connection.close()
