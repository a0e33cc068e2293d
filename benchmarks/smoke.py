"""The smoke benchmark: the whole path at a million events, beside plain DuckDB, within 8 GB.

`make bench`, or `python -m benchmarks.smoke`: generates a demo company in a home of its own, runs
everything up to the third-last night (full), one more night step by step, and the last night in
one process; each piece in a process of its own, under a limit of memory. Beside them, plain DuckDB
reads the same deliveries into tables and copies the tables. The outcome is the section `smoke` of
docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from benchmarks.document import table, write_section
from benchmarks.measuring import MEBIBYTE, Measurement, machine, measured, versions

ROOT = Path(__file__).resolve().parent.parent
SECTION = "smoke"
# The steps of a run, and the words of `orchestration/pipeline/night.py` for them.
STEPS = {
    "ingest": "ingest",
    "configure": "configure",
    "match": "stage and match",
    "identify": "identify",
    "unify": "unify, journey, measure, decide",
    "publish": "gate and publish",
}
_MARKER = ".benchmark"
_KEPT = {_MARKER, "landing", "truth", "keys", "format.json"}
_PACKAGES = ("duckdb", "dbt-core", "great-expectations")


@dataclass(frozen=True)
class Bench:
    """One benchmark's place and limits.

    Args:
        home: The company's home folder.
        limit_bytes: Address space of each process.
        customers: Customers of the company.
        nights: Nights after the one that delivers the history.
    """

    home: Path
    limit_bytes: int
    customers: int
    nights: int

    def measure(self, stage: str, *arguments: str) -> Measurement:
        """Measure one stage in a process of its own, and tell it."""
        # DuckDB gets what it would get by default on a machine of this size: half.
        found = measured(
            stage,
            "benchmarks.stages",
            [stage, "--home", str(self.home), *arguments],
            {
                "JOURNEYLINE_MEMORY_LIMIT": f"{self.limit_bytes // 2 // MEBIBYTE}MiB",
                "PYTHONPATH": str(ROOT),
            },
            self.limit_bytes,
        )
        print(
            f"{stage}: {found.seconds:.1f} s, {found.cpu_seconds:.1f} s CPU, "
            f"{found.peak_bytes / MEBIBYTE:.0f} MiB",
            file=sys.stderr,
        )
        return found


@dataclass(frozen=True)
class Part:
    """The steps over some nights, and plain DuckDB over the same deliveries."""

    parse: Measurement
    steps: list[Measurement]
    read: Measurement
    copy: Measurement

    @property
    def total(self) -> Measurement:
        """All the steps together."""
        return Measurement(
            name="all steps",
            seconds=sum(step.seconds for step in self.steps),
            cpu_seconds=sum(step.cpu_seconds for step in self.steps),
            peak_bytes=max(step.peak_bytes for step in self.steps),
        )


def measure_part(bench: Bench, since: date | None, until: date) -> Part:
    """Measure the steps up to a night, and plain DuckDB over the deliveries from `since` to it."""
    night = ("--until", until.isoformat())
    span = (*night, *(("--since", since.isoformat()) if since else ()))
    return Part(
        parse=bench.measure("parse"),
        steps=[bench.measure(step, *night) for step in STEPS],
        read=bench.measure("read", *span),
        copy=bench.measure("copy"),
    )


def run_smoke(bench: Bench) -> str:
    """Measure everything and render the section."""
    made = bench.measure(
        "generate", "--customers", str(bench.customers), "--nights", str(bench.nights)
    )
    last = date.fromisoformat(made.facts["last_night"])
    second_last = last - timedelta(days=1)
    full = measure_part(bench, None, last - timedelta(days=2))
    night = measure_part(bench, second_last, second_last)
    whole = bench.measure("run", "--until", last.isoformat())
    return render(bench, made, full, night, whole)


def render(bench: Bench, made: Measurement, full: Part, night: Part, whole: Measurement) -> str:
    """The section of the document.

    Args:
        bench: Size and limits.
        made: The generation of the company.
        full: Everything up to the third-last night.
        night: The second-last night.
        whole: The last night, all steps in one process.
    """
    columns = ("stage", "seconds", "CPU s", "peak MiB")
    columns += tuple(f"{kind} ÷ {yard}" for yard in ("read", "copy") for kind in
                     ("seconds", "CPU", "peak"))  # fmt: skip
    full_rows = [_row(step, full) for step in [*full.steps, full.total]]
    of_full = [*full.steps, full.total]
    night_rows = [
        [*_row(step, night), _ratio(step.cpu_seconds, all_nights.cpu_seconds)]
        for step, all_nights in zip([*night.steps, night.total], of_full, strict=True)
    ]
    yardsticks = [(part.read, part.copy, part.parse) for part in (full, night)]
    return "\n\n".join([
        f"## The path: a full run and one night, {_millions(made)} million events",
        f"`make bench` on {datetime.now(UTC):%Y-%m-%d}: {machine()}; {versions(_PACKAGES)}. "
        f"{bench.customers:,} customers, {bench.nights} nights. Each stage is a process of its "
        f"own, held to {bench.limit_bytes / (1 << 30):g} GiB of address space with half of it for "
        "DuckDB; its seconds and CPU include the start of Python and, for dbt's two stages, the "
        "parse of the project. Read is DuckDB reading the same deliveries into tables, copy is "
        "DuckDB copying those tables.",
        f"Full: {full.read.facts['rows']:,} rows in {full.read.facts['files']} deliveries.",
        table(columns, full_rows),
        f"One night: {night.read.facts['rows']:,} rows in {night.read.facts['files']} deliveries.",
        table((*columns, "CPU ÷ full"), night_rows),
        "Beside them:",
        table(("what", "seconds", "CPU s", "peak MiB"), [
            ["generate the company", *_figures(made)],
            *([f"{what}, {span}", *_figures(found)]
              for span, part in zip(("full", "one night"), yardsticks, strict=True)
              for what, found in zip(
                  ("plain reading", "plain copying", "start and parse of dbt alone"), part,
                  strict=True)),
            ["the last night, all steps in one process", *_figures(whole)],
        ]),
        *(f"Slowest models and tests, {span}, seconds: {_slowest(part)}."
          for span, part in (("full", full), ("one night", night))),
    ])  # fmt: skip


def prepare_home(home: Path) -> None:
    """Leave only the generated company in a home that this benchmark made before.

    Raises:
        SystemExit: The folder holds something that no benchmark made.
    """
    home.mkdir(parents=True, exist_ok=True)
    if any(home.iterdir()) and not (home / _MARKER).exists():
        raise SystemExit(
            f"error: {home} holds something that this benchmark did not make.\n"
            "next: give an empty folder, or leave out --home."
        )
    (home / _MARKER).touch()
    for path in home.iterdir():
        if path.name not in _KEPT:
            _remove(path)


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
        return
    for folder in [path, *(below for below in path.rglob("*") if below.is_dir())]:
        folder.chmod(0o755)
    shutil.rmtree(path)


def _row(found: Measurement, part: Part) -> list[str]:
    figures = (found.seconds, found.cpu_seconds, found.peak_bytes)
    yards = [(y.seconds, y.cpu_seconds, y.peak_bytes) for y in (part.read, part.copy)]
    ratios = [_ratio(*pair) for yard in yards for pair in zip(figures, yard, strict=True)]
    return [STEPS.get(found.name, found.name), *_figures(found), *ratios]


def _figures(found: Measurement) -> list[str]:
    return [
        f"{found.seconds:.1f}",
        f"{found.cpu_seconds:.1f}",
        f"{found.peak_bytes / MEBIBYTE:.0f}",
    ]


def _ratio(value: float, yard: float) -> str:
    return f"{value / yard:.2f}" if yard else "-"


def _millions(made: Measurement) -> str:
    return f"{made.facts['truth_rows']['events'] / 1e6:.1f}"


def _slowest(part: Part) -> str:
    timings = {
        name: seconds
        for step in part.steps
        for name, seconds in step.facts.get("slowest", {}).items()
    }
    longest = sorted(timings.items(), key=lambda item: -item[1])[:10]
    return ", ".join(f"`{name}` {seconds:.1f}" for name, seconds in longest)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark and write its section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=17_000, help="default: 17,000")
    parser.add_argument("--nights", type=int, default=30, help="at least 3; default: 30")
    parser.add_argument("--home", type=Path, help="keep the company here, for another run")
    parser.add_argument("--limit-gib", type=float, default=8.0, help="per process; default: 8")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "benchmarks.md")
    given = parser.parse_args(arguments)
    if given.nights < 3:
        parser.error("--nights: a full run and two more nights need at least 3.")
    with tempfile.TemporaryDirectory(prefix="journeyline-bench-") as temporary:
        home = (given.home or Path(temporary) / "home").expanduser().resolve()
        prepare_home(home)
        bench = Bench(home, int(given.limit_gib * (1 << 30)), given.customers, given.nights)
        write_section(given.output, SECTION, run_smoke(bench))
    print(f"written: section {SECTION} of {given.output}")


if __name__ == "__main__":
    main()
