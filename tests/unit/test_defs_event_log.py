"""What a run inside this process writes is what Dagster's own storage reads."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from orchestration.defs.event_log import QuickEventLog, open_instance
from orchestration.defs.launch import prepare_instance
from orchestration.settings import Settings


@dg.asset(partitions_def=dg.StaticPartitionsDefinition(["a", "b"]))
def numbers() -> dg.MaterializeResult[None]:
    """An asset of two partitions."""
    return dg.MaterializeResult(metadata={"rows": 3})


def _materialize(instance: dg.DagsterInstance) -> str:
    job = dg.define_asset_job("job").resolve(
        asset_graph=dg.Definitions([numbers]).resolve_asset_graph()
    )
    return job.execute_in_process(instance=instance, partition_key="b").run_id


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    found = Settings(home=tmp_path / "home")
    prepare_instance(found)
    return found


def test_dagster_reads_what_was_written_and_goes_on(settings: Settings) -> None:
    with open_instance(settings) as quick:
        assert isinstance(quick.event_log_storage, QuickEventLog)
        first = _materialize(quick)
        written = [(e.timestamp, e.message) for e in quick.all_logs(first)]
    assert not list((settings.dagster_home / "history" / "runs").glob("*-wal"))
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as plain:
        assert not isinstance(plain.event_log_storage, QuickEventLog)
        assert [(e.timestamp, e.message) for e in plain.all_logs(first)] == written
        second = _materialize(plain)
        assert plain.get_materialized_partitions(numbers.key) == {"b"}
    with open_instance(settings) as quick:
        assert [run.run_id for run in quick.get_runs()] == [second, first]
        assert quick.get_latest_materialization_event(numbers.key) is not None
        assert quick.get_latest_materialization_event(numbers.key).run_id == second


def test_a_storage_of_one_s_own_place_stays_there(settings: Settings, tmp_path: Path) -> None:
    place = tmp_path / "elsewhere"
    (settings.dagster_home / "dagster.yaml").write_text(
        f"storage:\n  sqlite:\n    base_dir: {place}\ntelemetry:\n  enabled: false\n",
        encoding="utf-8",
    )
    with open_instance(settings) as instance:
        run = _materialize(instance)
    assert (place / "history" / "runs" / f"{run}.db").exists()
    assert not (settings.dagster_home / "history" / "runs").exists()
