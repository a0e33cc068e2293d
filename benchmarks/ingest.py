"""The ingest benchmark: app events through guards, contract, quarantine, de-duplication, ledger.

`python -m benchmarks.ingest`: the same events as NDJSON, CSV and Parquet; each format is loaded by
the loader and read by plain DuckDB with no checks, each in a process of its own, and then a night
with 1 % new rows. The outcome is the section `ingest` of docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.document import table, write_section
from benchmarks.measuring import MEBIBYTE, Measurement, machine, measured, versions

ROOT = Path(__file__).resolve().parent.parent
SECTION = "ingest"
FORMATS = ("ndjson", "csv", "parquet")
BOUNDS = {"ndjson": 3.0, "csv": 3.0, "parquet": 4.0}
NIGHT_SHARE = 0.01
# The deliveries that the history comes in.
_FILES = 10
_COLUMNS = (
    "message_id", "type", "event", "user_id", "anonymous_id", "original_at", "device_type",
    "app_version", "plan", "amount",
)  # fmt: skip


def run(rows: int, limit_bytes: int, folder: Path) -> str:
    """Measure everything and render the section."""
    environment = {
        "JOURNEYLINE_MEMORY_LIMIT": f"{limit_bytes // 2 // MEBIBYTE}MiB",
        "PYTHONPATH": str(ROOT),
    }
    lines = []
    for format_ in FORMATS:

        def measure(work: str, *more: str, of: str = format_) -> Measurement:
            """One kind of work on this format, in a process of its own."""
            given = [work, "--folder", str(folder / of), "--format", of, "--rows", str(rows), *more]
            found = measured(
                f"{of} {work}", "benchmarks.ingest", given, environment, 4 * limit_bytes
            )
            print(
                f"{found.name}: {found.seconds:.1f} s, {found.cpu_seconds:.1f} s CPU, "
                f"{found.peak_bytes / MEBIBYTE:.0f} MiB",
                file=sys.stderr,
            )
            return found

        measure("generate")
        plain, loaded, night = measure("read"), measure("load"), measure("night")
        shutil.rmtree(folder / format_)
        ratio = loaded.facts["seconds"] / plain.facts["seconds"]
        share = night.facts["seconds"] / loaded.facts["seconds"]
        lines.append([
            format_,
            f"{plain.facts['seconds']:.1f}",
            f"{loaded.facts['seconds']:.1f}",
            f"{ratio:.2f}",
            f"{BOUNDS[format_]:.0f}",
            f"{loaded.cpu_seconds / plain.cpu_seconds:.2f}",
            f"{loaded.peak_bytes / MEBIBYTE:.0f}",
            f"{night.facts['seconds']:.1f}",
            f"{share:.1%}",
            f"{loaded.facts['accepted']:,}",
        ])  # fmt: skip
    return "\n\n".join([
        f"## Ingest: {rows / 1e6:g} million app events beside plain DuckDB",
        f"`python -m benchmarks.ingest --rows {rows}` on {datetime.now(UTC):%Y-%m-%d}: "
        f"{machine()}; {versions(('duckdb', 'pyarrow'))}. Loaded is guards, contract, quarantine, "
        f"de-duplication and row ledger over {_FILES} deliveries with 1 % duplicates and 0.1 % "
        "broken rows, DuckDB bounded to "
        f"{limit_bytes / 2 / (1 << 30):g} GiB; plain is `read_json`, `read_csv` or `read_parquet` "
        "of the same files into a table, with no checks. A night is one more delivery of 1 % new "
        "rows. Seconds are of the work, without the start of Python.",
        table(
            ("format", "plain s", "loaded s", "loaded ÷ plain", "bound", "CPU ÷ plain",
             "peak MiB", "night s", "night ÷ loaded", "rows taken"),
            lines,
        ),
    ])  # fmt: skip


def generate(folder: Path, format_: str, rows: int) -> dict[str, Any]:
    """Write the history's files and the night's."""
    import duckdb

    (folder / "files").mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect()
    step = rows // _FILES
    spans = [(n * step, (n + 1) * step) for n in range(_FILES)]
    spans.append((rows, rows + int(rows * NIGHT_SHARE)))
    for number, (first, last) in enumerate(spans):
        target = folder / "files" / f"{number:02}.{format_}"
        options = {
            "ndjson": "(format json)",
            "csv": "(format csv, header)",
            "parquet": "(format parquet, compression zstd)",
        }[format_]
        connection.execute(f"copy ({_events(first, last)}) to '{target}' {options}")
    connection.close()
    return {}


def read(folder: Path, format_: str, rows: int) -> dict[str, Any]:
    """Plain DuckDB: the history into a table."""
    del rows
    import time

    from orchestration.warehouse import connect

    reader = {"ndjson": "read_json", "csv": "read_csv", "parquet": "read_parquet"}[format_]
    files = [str(path) for path in sorted((folder / "files").iterdir())[:_FILES]]
    connection = connect(folder / "plain.duckdb")
    started = time.monotonic()
    connection.execute(f"create table events as select * from {reader}({files})")
    connection.close()
    return {"seconds": time.monotonic() - started}


def load(folder: Path, format_: str, rows: int) -> dict[str, Any]:
    """The loader: the history, landed and loaded."""
    return _load(folder, format_, rows, range(_FILES), day=1)


def night(folder: Path, format_: str, rows: int) -> dict[str, Any]:
    """The loader: one more delivery."""
    return _load(folder, format_, rows, range(_FILES, _FILES + 1), day=2)


def _load(folder: Path, format_: str, rows: int, numbers: range, day: int) -> dict[str, Any]:
    import time

    from orchestration.ingest.landing import land_file
    from orchestration.ingest.loader import load_deliveries
    from orchestration.settings import Settings

    del rows
    settings = Settings(home=folder / "home", repo_root=_project(folder, format_))
    for number in numbers:
        file = folder / "files" / f"{number:02}.{format_}"
        land_file(settings, "bench", "events", file, datetime(2025, 1, day, 0, number))
    started = time.monotonic()
    report = load_deliveries(settings, None)
    seconds = time.monotonic() - started
    if report.refused or report.held_sources:
        raise RuntimeError(f"refused {report.refused}, held {report.held_sources}")
    return {"seconds": seconds, "accepted": report.accepted, "quarantined": report.quarantined}


def _events(first: int, last: int) -> str:
    """Events of which 1 in 100 repeats the one before it and 1 in 1,000 has no time."""
    return f"""
    select
        'm-' || md5((i - (i % 100 = 99)::int)::text) as message_id, 'track' as type,
        ['Report Opened', 'Order Placed', 'Page Viewed', 'Trial Started'][1 + n % 4] as event,
        'u-' || (n * 7919 % 500000) as user_id, 'd-' || (n * 104729 % 900000) as anonymous_id,
        case when n % 1000 = 500 then 'soon' else strftime(
            timestamp '2024-01-01' + to_seconds(n % 31536000), '%Y-%m-%dT%H:%M:%SZ') end
            as original_at,
        ['ios', 'android', 'desktop'][1 + n % 3] as device_type, '3.' || n % 12 as app_version,
        ['free', 'pro'][1 + n % 2] as plan, (n % 10000) / 100 as amount
    from (select i, i - (i % 100 = 99)::int as n from range({first}, {last}) as t(i))
    """


def _project(folder: Path, format_: str) -> Path:
    """A project with the one contract, in one format."""
    import yaml

    root = folder / "project"
    (root / "orchestration" / "config").mkdir(parents=True, exist_ok=True)
    (root / "data_contracts" / "sources").mkdir(parents=True, exist_ok=True)
    source = {"name": "bench", "kind": "app", "vendor": "Benchmark", "owner": "bench"}
    source["description"] = "Generated events."
    (root / "orchestration" / "config" / "sources.yml").write_text(
        yaml.safe_dump({"sources": [source]}), "utf-8"
    )
    types = {"original_at": "timestamp", "amount": "decimal(18,4)"}
    logical = {"original_at": "timestamp", "amount": "number"}
    columns: list[dict[str, Any]] = [
        {
            "name": name,
            "physicalName": name,
            "description": f"Column {name} of the generated events.",
            "logicalType": logical.get(name, "string"),
            "physicalType": types.get(name, "text"),
            "required": name in ("message_id", "type", "original_at"),
            "classification": "internal",
        }
        for name in _COLUMNS
    ]
    columns[0] |= {"primaryKey": True, "primaryKeyPosition": 1}
    columns[6]["enum"] = [{"value": value} for value in ("ios", "android", "desktop")]
    custom = {"format": format_, "eventTable": True, "rateBound": 0.05, "driftPolicy": "evolve"}
    document = {
        "version": "1.0.0",
        "apiVersion": "v3.2.0",
        "kind": "DataContract",
        "id": "bench-events",
        "name": "bench/events",
        "status": "active",
        "description": {"purpose": "Generated events."},
        "team": {"name": "bench"},
        "schema": [{
            "name": "bench__events",
            "physicalName": "raw.bench__events",
            "logicalType": "object",
            "properties": columns,
        }],
        "customProperties": [{"property": name, "value": value} for name, value in custom.items()],
    }  # fmt: skip
    path = root / "data_contracts" / "sources" / "bench.events.odcs.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")
    return root


_WORK = {"generate": generate, "read": read, "load": load, "night": night}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark and write its section, or do one piece of its work in this process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", nargs="?", choices=_WORK, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--format", choices=FORMATS, help=argparse.SUPPRESS)
    parser.add_argument("--facts", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, default=10_000_000, help="default: 10 million")
    parser.add_argument("--limit-gib", type=float, default=4.0, help="memory; default: 4")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "benchmarks.md")
    given = parser.parse_args(arguments)
    if given.work:
        facts = _WORK[given.work](given.folder, given.format, given.rows)
        given.facts.write_text(json.dumps(facts), "utf-8")
        return
    with tempfile.TemporaryDirectory(prefix="journeyline-ingest-") as folder:
        text = run(given.rows, int(given.limit_gib * (1 << 30)), Path(folder))
    write_section(given.output, SECTION, text)
    print(f"written: section {SECTION} of {given.output}")


if __name__ == "__main__":
    main()
