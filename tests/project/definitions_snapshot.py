"""What the code location defines, one line each, for a person to review.

`python tests/project/definitions_snapshot.py` writes it anew; read the difference before it is
committed, because keys, jobs and schedules are what other people's links and alerts name.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import dagster as dg

from orchestration.defs.assembly import assemble
from orchestration.defs.release import AUDIT
from orchestration.settings import Settings

PATH = Path(__file__).parent / "definitions.snapshot.txt"


def lines_of(definitions: dg.Definitions) -> list[str]:
    """Assets by stage with key, owner, kinds and partitions; jobs, schedules, sensors."""
    repository = definitions.get_repository_def()
    graph = repository.asset_graph
    assets = [graph.get(key) for key in graph.get_all_asset_keys()]
    lines = [
        f"asset {node.group_name:<8} {node.key.to_user_string()}"
        f"  {','.join(sorted(node.owners))}  {','.join(sorted(node.kinds))}"
        f"{'' if node.partitions_def else '  (not run by Dagster)'}"
        for node in sorted(assets, key=lambda node: (node.group_name, node.key))
    ]
    lines += sorted(
        f"blocking check {check.asset_key.to_user_string()}:{check.name}"
        for check in graph.asset_check_keys
        if check.asset_key == AUDIT and graph.get_check_spec(check).blocking
    )
    lines += [f"job {name}" for name in sorted(repository.job_names) if not name.startswith("__")]
    lines += [
        f"schedule {schedule.name}  {schedule.cron_schedule} {schedule.execution_timezone}"
        f"  job {schedule.job_name}  {schedule.default_status.value}"
        for schedule in repository.schedule_defs
    ]
    lines += [
        f"sensor {sensor.name}  every {sensor.minimum_interval_seconds} s"
        f"  job {sensor.job_name}  {sensor.default_status.value}"
        for sensor in repository.sensor_defs
    ]
    return lines


def main() -> None:
    """Write the snapshot."""
    with tempfile.TemporaryDirectory() as folder:
        lines = lines_of(assemble(Settings(home=Path(folder))))
    PATH.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
