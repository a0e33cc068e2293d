"""`python -m benchmarks.identity demo|public|clustering|nightly`: how right, and how fast."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.document import write_section
from benchmarks.identity import clustering, demo, nightly, public
from benchmarks.measuring import machine, versions

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one benchmark and write its section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("demo", "public", "clustering", "nightly"))
    parser.add_argument("--home", type=Path, default=Path("/tmp/journeyline-identity"))
    parser.add_argument("--customers", type=int, default=5_000, help="default: 5,000")
    parser.add_argument("--nights", type=int, default=30, help="default: 30")
    parser.add_argument("--tonight", type=int, default=1, help="nights in one run; default: 1")
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 23], help="default: 7 23")
    parser.add_argument("--records", type=int, default=10_000_000, help="default: 10,000,000")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--febrl", type=Path, help="folder that febrl.py has written")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "benchmarks.md")
    given = parser.parse_args(arguments)
    if given.what == "demo":
        text = demo.measure(given.home, given.customers, given.nights, given.seeds)
    elif given.what == "nightly":
        text = nightly.measure(given.home, given.customers, given.nights, given.tonight)
    elif given.what == "clustering":
        text = clustering.measure(given.records)
    else:
        parts = [
            "## Identity: public sets, beside Splink",
            f"`python -m benchmarks.identity public`: {machine()}; "
            f"{versions(('splink', 'duckdb'))}. Both learn from the set without its answers. "
            "Ours is what the product's models make of the set, with its rules and limits as they "
            "ship: at 0.99 what a run merges, at 0.5 what it would be if people confirmed every "
            "pair that waits for them or that a limit refused. Splink is set up as its tutorial "
            "does.",
            public.fake_1000(given.data / "fake_1000"),
        ]
        text = "\n\n".join([*parts, public.febrl(given.febrl)] if given.febrl else parts)
    write_section(given.output, f"identity-{given.what}", text)
    print(f"written: section identity-{given.what} of {given.output}")


if __name__ == "__main__":
    main()
