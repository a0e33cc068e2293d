"""A session after the other through psycopg, each in one transaction of `repeatable read`.

It runs in an environment of its own, because the project does without psycopg.
Usage: python psycopg_reader.py URL SCHEMA FOLDER; it ends when FOLDER/stop is there.
"""

import json
import sys
from pathlib import Path

import psycopg

QUERIES = (
    "select distinct country from {0}.dim_customers",
    "select distinct handling_seconds::text from {0}.fct_touchpoints",
    "select distinct country from {0}.dim_customers",
)


def main(url: str, schema: str, folder: Path) -> None:
    """Ask until told to stop; leave what was seen."""
    counts = {"sessions": 0, "torn": 0, "invalid": 0, "releases": 0}
    seen = set()
    with psycopg.connect(url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        while not (folder / "stop").exists():
            found = set()
            with connection.transaction():
                for query in QUERIES:
                    rows = connection.execute(query.format(schema)).fetchall()
                    counts["invalid"] += not rows
                    found |= set(rows)
                    connection.execute("select pg_sleep(0.002)")
            counts["sessions"] += 1
            counts["torn"] += len(found) != 1
            seen |= found
            (folder / "started").touch()
    counts["releases"] = len(seen)
    (folder / "counts.json").write_text(json.dumps(counts))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
