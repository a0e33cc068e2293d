"""The rows of a company in other deliveries, and how two releases differ but for arrival."""

from __future__ import annotations

import gzip
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from orchestration.ingest.landing import land_file
from orchestration.settings import Settings

# INVARIANTS.md, "Equal" (b): what arrival may change.
ARRIVAL_COLUMNS = {"received_at", "known_at", "delivery_id"}
ARRIVAL_TABLES = {"fct_identity_history", "bridge_customer_aliases"}
# A household's id follows from its members'.
_CUSTOMER_COLUMNS = {"customer_id", "other_customer_id", "old_customer_id", "household_id"}


def landed_lines(settings: Settings, source: str, entity: str) -> tuple[str | None, list[str]]:
    """Every line that was delivered of an entity, with the header of a CSV."""
    header: str | None = None
    lines: list[str] = []
    for manifest in sorted((settings.landing / source / entity).glob("*/manifest.json")):
        name = json.loads(manifest.read_text())["files"][0]["name"]
        raw = (manifest.parent / name).read_bytes()
        text = (gzip.decompress(raw) if name.endswith(".gz") else raw).decode()
        rows = text.split("\n")[:-1]
        if ".csv" in name:
            header, rows = rows[0], rows[1:]
        lines += rows
    return header, lines


def redeliver(settings: Settings, target: Settings, nights: list[datetime], seed: int) -> None:
    """Land the rows of one home in another, shuffled and dealt anew to the nights.

    Args:
        settings: The home to read.
        target: The home to land in, whose landing is empty.
        nights: Instants of arrival; each entity gets a delivery at each of them, and a second one.
        seed: Of the shuffling.
    """
    chance = random.Random(seed)
    for folder in sorted(settings.landing.glob("*/*")):
        if not folder.is_dir():
            continue
        source, entity = folder.parent.name, folder.name
        header, lines = landed_lines(settings, source, entity)
        chance.shuffle(lines)
        instants = [night + timedelta(hours=hours) for night in nights for hours in (0, 3)]
        dealt: list[list[str]] = [[] for _ in instants]
        for line in lines:
            chance.choice(dealt).append(line)
        for instant, rows in zip(instants, dealt, strict=True):
            if rows:
                suffix = "ndjson" if header is None else "csv"
                file = target.home / f"{entity}.{suffix}"
                text = "\n".join([*([] if header is None else [header]), *rows]) + "\n"
                file.write_text(text, encoding="utf-8")
                land_file(target, source, entity, file, instant.astimezone(UTC))
                file.unlink()


def differences(one: Path, other: Path) -> dict[str, list[tuple[object, ...]]]:
    """Rows that only one of two releases has, by table, after renaming customers.

    Args:
        one: A release's folder.
        other: Another's, with the same tables.
    """
    connection = duckdb.connect()
    names = sorted(path.name for path in (one / "parquet").iterdir())
    assert names == sorted(path.name for path in (other / "parquet").iterdir())
    for side, folder in (("one", one), ("other", other)):
        connection.execute(f"create schema {side}")
        for name in names:
            connection.execute(
                f"create view {side}.{name} as "
                f"select * from read_parquet('{folder}/parquet/{name}/*.parquet')"
            )
    _rename_customers(connection)
    found: dict[str, list[tuple[object, ...]]] = {}
    for name in names:
        if name in ARRIVAL_TABLES:
            continue
        columns = [row[0] for row in connection.execute(f"describe one.{name}").fetchall()]
        kept = [column for column in columns if column not in ARRIVAL_COLUMNS]
        renamed = ", ".join(
            f"(select new_id from renamed where old_id = t.{c}) as {c}"
            if c in _CUSTOMER_COLUMNS else c
            for c in kept
        )  # fmt: skip
        query = (
            f"select {renamed} from one.{name} as t",
            f"select {', '.join(kept)} from other.{name}",
        )
        rows = [
            (side, *row)
            for side, (a, b) in (("one", query), ("other", query[::-1]))
            for row in connection.execute(f"({a}) except all ({b}) limit 5").fetchall()
        ]
        if rows:
            found[name] = rows
    connection.close()
    return found


def _rename_customers(connection: duckdb.DuckDBPyConnection) -> None:
    """The table renamed: the id in one for the id in the other, where it is one for one."""
    connection.execute(
        """
        create table renamed as
        select distinct mine.customer_id as old_id, theirs.customer_id as new_id
        from one.bridge_customer_records as mine
        inner join other.bridge_customer_records as theirs using (source, entity, record_id)
        """
    )
    row = connection.execute(
        """select count(*), count(distinct old_id), count(distinct new_id),
            (select count(*) from one.dim_customers), (select count(*) from other.dim_customers)
        from renamed"""
    ).fetchone()
    assert row is not None
    assert len(set(row)) == 1, f"the clusters differ: {row}"
    connection.execute(
        """
        insert into renamed
        select distinct mine.household_id, theirs.household_id
        from one.bridge_customer_households as mine
        inner join renamed on mine.customer_id = renamed.old_id
        inner join other.bridge_customer_households as theirs
            on renamed.new_id = theirs.customer_id
        """
    )
