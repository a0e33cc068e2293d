"""The publish benchmark: a release beside plain `COPY … TO` Parquet, and nights that change little.

`python -m benchmarks.publish --rows 5000000` makes a warehouse of touchpoints over 24 months and
writes its section of docs/benchmarks.md. CPU seconds count: a shared machine stretches the others.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import duckdb

from benchmarks.document import write_section
from orchestration.gate.contracts import load_product_contracts
from orchestration.publish import row_hashes
from orchestration.publish.publisher import publish
from orchestration.publish.releases import rollback
from orchestration.settings import REPO_ROOT, Settings
from orchestration.warehouse import connect

_TABLE = "fct_touchpoints"
_MONTHS = 24
_CUSTOMERS_SHARE = 0.05


@dataclass(frozen=True)
class Taken:
    """What a step took, in CPU and wall seconds."""

    cpu: float
    wall: float


def main() -> None:
    """Measure, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000, help="Touchpoints in the facts.")
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory(prefix="jl-publish-") as folder:
        text = "\n".join(_report(Path(folder), rows))
    write_section(REPO_ROOT / "docs" / "benchmarks.md", "publish", text)


def _report(folder: Path, rows: int) -> list[str]:
    settings = _home(folder / "whole", rows, gigabytes=1000)
    publish(_home(folder / "warm", 1000, gigabytes=1000), "warm")
    plain = _timed(lambda: _copy_plainly(settings, folder / "plain"))
    size = sum(path.stat().st_size for path in (folder / "plain").iterdir())
    whole = _timed(lambda: publish(settings, "first"))
    _add_night(settings, rows)
    whole_night = _timed(lambda: publish(settings, "night"))
    flip = _timed(lambda: rollback(settings, by="benchmark", reason="measuring"))
    shutil.rmtree(folder / "whole", ignore_errors=True)

    viewed = _home(folder / "views", rows, gigabytes=0)
    views = _timed(lambda: publish(viewed, "first"))
    _add_night(viewed, rows)
    views_night = _timed(lambda: publish(viewed, "night"))
    _restate(viewed)
    restated = _timed(lambda: publish(viewed, "restated"))
    lines = [
        "## Publish",
        "",
        f"{rows:,} touchpoints over {_MONTHS} months, {size / 1e6:,.0f} MB of Parquet, in one run "
        f"with `python -m benchmarks.publish --rows {rows}`.",
        "",
        "| step | CPU seconds | seconds | share |",
        "|---|---|---|---|",
        _line("plain `COPY … TO` Parquet, sorted", plain, plain, "1"),
        _line("first release, self-contained, audited", whole, plain, "of plain"),
        _line("night of 1 % new rows, self-contained", whole_night, whole, "of the first"),
        _line("first release, facts as views", views, plain, "of plain"),
        _line("night of 1 % new rows, facts as views", views_night, views, "of the first"),
        _line(
            "night that restates 0.1 % of customers in all months", restated, views, "of the first"
        ),
        _line("rollback", flip, views, "of the first"),
    ]
    return lines


def _line(name: str, taken: Taken, base: Taken, of: str) -> str:
    share = f"{taken.cpu / base.cpu:.2f} {of}" if of != "1" else "1"
    return f"| {name} | {taken.cpu:.2f} | {taken.wall:.2f} | {share} |"


def _timed(work: Callable[[], object]) -> Taken:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Taken(time.process_time() - cpu, time.perf_counter() - wall)


def _home(folder: Path, rows: int, gigabytes: float) -> Settings:
    """A home whose warehouse holds touchpoints alone, by the project's own contract."""
    project = folder / "project"
    products = project / "data_contracts" / "products"
    products.mkdir(parents=True)
    source = REPO_ROOT / "data_contracts" / "products" / f"{_TABLE}.odcs.yaml"
    shutil.copy2(source, products)
    config = project / "orchestration" / "config"
    config.mkdir(parents=True)
    text = (REPO_ROOT / "orchestration" / "config" / "releases.yml").read_text(encoding="utf-8")
    bound = "self_contained_gigabytes: "
    kept = [line for line in text.splitlines() if not line.startswith(bound)]
    (config / "releases.yml").write_text("\n".join([*kept, f"{bound}{gigabytes}", ""]))
    settings = Settings(home=folder / "home", repo_root=project)
    settings.home.mkdir()
    with closing(connect(settings.warehouse)) as connection:
        connection.execute("create schema journey; create schema ingest; create schema pipeline")
        connection.execute(
            "create table ingest.deliveries (source text, entity text, delivery_id text, "
            "received_at timestamp, status text, reason text, file_name text, sha256 text, "
            "byte_count bigint, landed_count bigint, accepted_count bigint, quarantined_count "
            "bigint, duplicate_count bigint, erased_count bigint, load_number integer, aged_count "
            "bigint)"
        )
        connection.execute("create table pipeline.clock as select timestamp '2026-01-01' as as_of")
        (contract,) = load_product_contracts(settings.contracts / "products")
        columns = ", ".join(f"{column.name} {column.data_type}" for column in contract.columns)
        names = [column.name for column in contract.columns]
        # As the model of this name makes it: the table enforces the hash that each row carries.
        connection.execute(
            f"create table journey.{_TABLE} "
            f"({columns}, {row_hashes.COLUMN} bigint not null, {row_hashes.check(names)})"
        )
        connection.execute(f"insert into journey.{_TABLE} {_rows(settings, rows, 0, rows)}")
    return settings


def _rows(settings: Settings, total: int, first: int, count: int, last_month: bool = False) -> str:
    """Touchpoints that keep the contract, spread over the months or all in the last one."""
    (contract,) = load_product_contracts(settings.contracts / "products")
    spread = 28 if last_month else 30.4 * _MONTHS
    begin = "timestamp '2025-12-01'" if last_month else "timestamp '2024-01-01'"
    customers = max(int(total * _CUSTOMERS_SHARE), 1)
    values = []
    for column in contract.columns:
        kind = column.data_type
        if column.name == "customer_id":
            value = f"md5((hash(i, 'c') % {customers})::text)"
        elif column.allowed:
            listed = ", ".join(f"'{value}'" for value in column.allowed)
            value = f"list_extract([{listed}], (i % {len(column.allowed)})::int + 1)"
        elif kind == "VARCHAR":
            wide = column.key_position is not None or column.name.endswith("session_id")
            value = f"md5(i::text || '{column.name}')" if wide else "'v' || (hash(i) % 97)"
        elif kind == "TIMESTAMP":
            # As nights deliver them: in the order of time, but for a tenth that came late.
            late = "if(hash(i, 'l') % 10 = 0, hash(i, 't') % 86400 * 20, 0)"
            value = (
                f"{begin} + to_seconds(greatest((i - {first}) * {int(spread * 86400)} // {count} "
                f"- {late}, 0)::bigint)"
            )
        else:
            value = f"(hash(i, '{column.name}') % 1000)::{kind}"
        values.append(f"({value})::{kind} as {column.name}")
    rows = f"select {', '.join(values)} from range({first}, {first + count}) as numbers (i)"
    return _hashed(settings, rows)


def _hashed(settings: Settings, rows: str) -> str:
    (contract,) = load_product_contracts(settings.contracts / "products")
    names = [column.name for column in contract.columns]
    return f"select *, {row_hashes.row_hash(names)} as {row_hashes.COLUMN} from ({rows})"


def _add_night(settings: Settings, rows: int) -> None:
    with closing(connect(settings.warehouse)) as connection:
        more = _rows(settings, rows, rows, rows // 100, last_month=True)
        connection.execute(f"insert into journey.{_TABLE} {more}")
        connection.execute("update pipeline.clock set as_of = as_of + interval 1 day")


def _restate(settings: Settings) -> None:
    """A merge of one customer in a thousand, whose touchpoints lie in every month.

    Written as the customer-grained models write: the customers' rows go, and come again.
    """
    mine = f"from journey.{_TABLE} where hash(customer_id, 'm') % 1000 = 0"
    with closing(connect(settings.warehouse)) as connection:
        connection.execute(
            f"create temp table merged as select * exclude ({row_hashes.COLUMN}) "
            f"replace ('merged' as customer_id) {mine}"
        )
        connection.execute(f"delete {mine}")
        connection.execute(f"insert into journey.{_TABLE} {_hashed(settings, 'from merged')}")


def _copy_plainly(settings: Settings, folder: Path) -> None:
    folder.mkdir()
    (contract,) = load_product_contracts(settings.contracts / "products")
    order = ", ".join(contract.sort_key)
    with closing(duckdb.connect(str(settings.warehouse), read_only=True)) as connection:
        connection.execute(
            f"copy (select * exclude ({row_hashes.COLUMN}) from journey.{_TABLE} order by {order}) "
            f"to '{folder}/plain.parquet' (format parquet, compression zstd)"
        )


if __name__ == "__main__":
    main()
