"""The work that is measured: `python -m benchmarks.stages <name>` does one piece of it.

The pipeline's own steps in the order of `orchestration/pipeline/night.py`, each as a run would
call it, and beside them plain DuckDB reading the same deliveries into a table and copying it.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

Facts = dict[str, Any]


@dataclass(frozen=True)
class Work:
    """What one process is asked to do.

    Args:
        home: The company's home folder.
        until: The last night to take, inclusive.
        since: The first night whose deliveries the plain reading takes; None means all.
        customers: Customers of the company to generate.
        nights: Nights of the company to generate.
    """

    home: Path
    until: date | None = None
    since: date | None = None
    customers: int = 0
    nights: int = 0


def generate(work: Work) -> Facts:
    """The demo company, its deliveries and its truth."""
    from orchestration.demo.company import build_company
    from orchestration.pipeline.steps import prepare

    settings = _settings(work)
    prepare(settings)
    report = build_company(settings, customers=work.customers, nights=work.nights)
    return {"last_night": report.last_night.isoformat(), "truth_rows": dict(report.truth_rows)}


def ingest(work: Work) -> Facts:
    """What landed, into the typed raw tables."""
    from orchestration.pipeline import steps

    report = steps.load(_settings(work), work.until)
    return {"accepted": report.accepted, "deliveries": report.deliveries}


def configure(work: Work) -> Facts:
    """The configuration files as tables."""
    from orchestration.pipeline import steps

    steps.write_configuration(_settings(work))
    return {}


def parse(work: Work) -> Facts:
    """What each process with dbt in it costs before its first model: imports and the parse."""
    from orchestration.pipeline.dbt_runner import parsed_manifest

    return {"nodes": len(parsed_manifest(_settings(work)).nodes)}


def match(work: Work) -> Facts:
    """dbt's first phase: staging, records, match edges, clusters."""
    from orchestration.pipeline import steps

    return _timings(steps.build_records(_settings(work)))


def identify(work: Work) -> Facts:
    """The id ledger."""
    from orchestration.pipeline import steps

    report = steps.resolve_ids(_settings(work))
    return {"customers": report.customers, "instants": report.instants}


def unify(work: Work) -> Facts:
    """dbt's second phase: customers, journeys, KPIs."""
    from orchestration.pipeline import steps

    return _timings(steps.build_customers(_settings(work)))


def publish(work: Work) -> Facts:
    """The gate and the release."""
    from orchestration.pipeline import steps

    report = steps.publish_release(_settings(work), "benchmark")
    if not report.published:
        raise RuntimeError(f"nothing was published: {report.reason}")
    return {"rows": sum(report.table_rows.values())}


def run(work: Work) -> Facts:
    """All the steps of the nights that wait, in one process."""
    from orchestration.pipeline.night import run_nights

    report = run_nights(_settings(work), work.until, run_id="benchmark")
    return {"seconds": report.seconds, "nights": len(report.nights)}


def read(work: Work) -> Facts:
    """Plain DuckDB: the deliveries' rows into one table an entity, types found by DuckDB."""
    settings = _settings(work)
    entities = _landed_files(settings.landing, work)
    with _yardstick(work.home, is_new=True) as connection:
        for (source, entity), files in entities.items():
            reader = "read_csv" if ".csv" in files[0].name else "read_json"
            connection.execute(
                f"create table {source}_{entity} as select * from {reader}("
                "$files, union_by_name = true, ignore_errors = true)",
                {"files": [str(file) for file in files]},
            )
        rows = sum(_count(connection, f"{source}_{entity}") for source, entity in entities)
        connection.execute("checkpoint")
    return {"rows": rows, "files": sum(len(files) for files in entities.values())}


def copy(work: Work) -> Facts:
    """Plain DuckDB: a copy of each table that `read` made."""
    with _yardstick(work.home, is_new=False) as connection:
        names = [row[0] for row in connection.execute("show tables").fetchall()]
        for name in names:
            connection.execute(f"create table {name}__copy as select * from {name}")
        connection.execute("checkpoint")
        rows = sum(_count(connection, f"{name}__copy") for name in names)
    return {"rows": rows}


STAGES: dict[str, Callable[[Work], Facts]] = {
    work.__name__: work
    for work in (
        generate,
        ingest,
        configure,
        parse,
        match,
        identify,
        unify,
        publish,
        run,
        read,
        copy,
    )
}


def _settings(work: Work) -> Any:
    from orchestration.settings import Settings

    os.environ["JOURNEYLINE_HOME"] = str(work.home)
    return Settings.from_environment()


def _timings(results: Any) -> Facts:
    """The slowest nodes of a dbt phase, and what all of them took."""
    slowest = sorted(results, key=lambda result: -result.seconds)[:12]
    return {
        "nodes": len(results),
        "node_seconds": round(sum(result.seconds for result in results), 2),
        "slowest": {result.name: round(result.seconds, 2) for result in slowest},
    }


def _landed_files(landing: Path, work: Work) -> dict[tuple[str, str], list[Path]]:
    """The delivered files of the nights asked for, by source and entity."""
    found: dict[tuple[str, str], list[Path]] = {}
    for manifest in sorted(landing.glob("*/*/*/manifest.json")):
        night = date.fromisoformat(manifest.parent.name[:10])
        is_asked = (work.since is None or night >= work.since) and (
            work.until is None or night <= work.until
        )
        if is_asked:
            stated = json.loads(manifest.read_text(encoding="utf-8"))
            files = [manifest.parent / file["name"] for file in stated["files"] if file["rows"]]
            if files:
                found.setdefault((stated["source"], stated["entity"]), []).extend(files)
    return found


def _yardstick(home: Path, *, is_new: bool) -> Any:
    """The yardstick's own DuckDB file, under the same limits as the warehouse."""
    from contextlib import closing

    from orchestration.warehouse import connect

    path = home / "yardstick.duckdb"
    if is_new:
        path.unlink(missing_ok=True)
    return closing(connect(path))


def _count(connection: Any, table: str) -> int:
    return int(connection.execute(f"select count(*) from {table}").fetchone()[0])


def main() -> None:
    """Do one piece of work and write down its facts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage", choices=list(STAGES))
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--until", type=date.fromisoformat)
    parser.add_argument("--since", type=date.fromisoformat)
    parser.add_argument("--customers", type=int, default=0)
    parser.add_argument("--nights", type=int, default=0)
    parser.add_argument("--facts", type=Path, required=True)
    given = vars(parser.parse_args())
    stage, path = given.pop("stage"), given.pop("facts")
    facts = STAGES[stage](Work(**given))
    path.write_text(json.dumps(facts), encoding="utf-8")


if __name__ == "__main__":
    main()
