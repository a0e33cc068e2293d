"""What changed from one release to another, table by table, and why.

Belongs here: comparing the rows of two kept releases by key and giving each difference a cause.
Rows are compared in DuckDB, set-based; a table whose content hash is the same is not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb

from orchestration import warehouse
from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.publish import database, manifest
from orchestration.publish.describing import literal
from orchestration.publish.finding import CURRENT, find_release, release_before
from orchestration.settings import Settings

Columns = dict[str, str]


@dataclass(frozen=True)
class TableDifference:
    """How one table differs.

    Args:
        table: The table.
        rows_before: Rows in the earlier release.
        rows_after: Rows in the later one.
        added: Rows whose key only the later release has.
        removed: Rows whose key only the earlier release has.
        changed: Rows with the same key and other values.
        new_rows: Added rows whose event is after the earlier release's as-of.
        late_rows: Added rows whose event is before it: they were delivered late.
        identity_rows: Differences of customers whose identity changed in between.
        other_rows: Differences that none of these explains.
        columns: What became of columns, such as `added: plan`.
        why: The causes in words.
    """

    table: str
    rows_before: int
    rows_after: int
    added: int = 0
    removed: int = 0
    changed: int = 0
    new_rows: int = 0
    late_rows: int = 0
    identity_rows: int = 0
    other_rows: int = 0
    columns: tuple[str, ...] = ()
    why: tuple[str, ...] = ()


@dataclass(frozen=True)
class Difference:
    """How two releases differ.

    Args:
        before: The earlier release.
        after: The later one.
        configuration: Files of the configuration, and contracts, that changed.
        code: Commits of the code, where they differ.
        identity: Changes of customers' identity known since the earlier release, by kind.
        deliveries: Deliveries by status that only the later release has taken.
        tables: The tables that differ.
        notes: What else is to be known, such as an erasure.
    """

    before: str
    after: str
    configuration: tuple[str, ...]
    code: tuple[str | None, str | None] | None
    identity: dict[str, int]
    deliveries: dict[str, int]
    tables: tuple[TableDifference, ...] = ()
    notes: tuple[str, ...] = field(default=())


def compare_releases(
    settings: Settings, before: str | None = None, after: str | None = None
) -> Difference:
    """Compare two kept releases.

    Args:
        settings: The home folder.
        before: The earlier one; by default the one served before `after`.
        after: The later one; by default `current`.

    Raises:
        JourneylineError: A release is not there, or there is none to compare with (exit 2).
    """
    later = find_release(settings, after or CURRENT)
    new = manifest.read_manifest(later)
    earlier = find_release(settings, before) if before else release_before(settings, new)
    if earlier is None:
        raise JourneylineError(
            f"There is no release before {later.name} to compare with.",
            str(settings.releases),
            "Name two releases; `journeyline releases list` shows which there are.",
            EXIT_USAGE,
        )
    old = manifest.read_manifest(earlier)
    configuration = _changed_files(old, new)
    with _attached(earlier, later) as connection:
        identity = _identity_changes(connection, old)
        tables = [
            _compare_table(connection, table, old, new, configuration)
            for table in sorted(set(old["tables"]) | set(new["tables"]))
            if old["tables"].get(table, {}).get("content_hash")
            != new["tables"].get(table, {}).get("content_hash")
        ]
    versions = (old["code"]["version"], new["code"]["version"])
    return Difference(
        before=earlier.name,
        after=later.name,
        configuration=configuration,
        code=versions if versions[0] != versions[1] else None,
        identity=identity,
        deliveries=_new_deliveries(old, new),
        tables=tuple(tables),
        notes=_notes(old, new),
    )


def _attached(before: Path, after: Path) -> duckdb.DuckDBPyConnection:
    connection = warehouse.connect(":memory:")
    for name, folder in (("before", before), ("after", after)):
        path = literal(str(folder / database.FILE_NAME))
        connection.execute(f"attach {path} as {name}_release (read_only)")
    return connection


def _changed_files(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    then, now = (content.get("configuration", {}) for content in (old, new))
    return tuple(name for name in sorted({*then, *now}) if then.get(name) != now.get(name))


def _new_deliveries(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, int]:
    known = {_delivery(entry) for entry in old["inputs"]}
    counts: dict[str, int] = {}
    for entry in new["inputs"]:
        if _delivery(entry) not in known:
            counts[entry["status"]] = counts.get(entry["status"], 0) + 1
    return counts


def _delivery(entry: Mapping[str, Any]) -> tuple[str, str, str]:
    return entry["source"], entry["entity"], entry["delivery_id"]


def _notes(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    notes = []
    if new.get("redacts"):
        notes.append(f"{new['release_id']} is the redacted twin of {new['redacts']}.")
    if new.get("relocates"):
        notes.append(f"{new['release_id']} is {new['relocates']} with mended paths.")
    notes += _aged(old, new)
    if new.get("operator"):
        operator = new["operator"]
        despite = ", ".join(operator["despite"]) or "no failing check"
        notes.append(f"Published by {operator['by']} despite {despite}: {operator['reason']}")
    if old["engine"] != new["engine"]:
        notes.append("Another version of DuckDB wrote it.")
    return tuple(notes)


def _aged(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What went by age since the earlier release, a line per source table."""
    then = {(e["source"], e["entity"]): e["horizon"] for e in old.get("retention", [])}
    return [
        f"Retention: rows of {e['source']}/{e['entity']} from before {e['horizon']} went, and KPI "
        "periods that began before it are left out."
        for e in new.get("retention", [])
        if then.get((e["source"], e["entity"])) != e["horizon"]
    ]


def _identity_changes(
    connection: duckdb.DuckDBPyConnection, old: Mapping[str, Any]
) -> dict[str, int]:
    """Fill `moved_customers` with whose identity changed since; counts per kind of change."""
    connection.execute("create temp table moved_customers (customer_id varchar)")
    columns = _columns(connection, "after_release", "fct_identity_history")
    if not {"change", "customer_id", "other_customer_id", "known_at"} <= set(columns):
        return {}
    since = f"known_at > timestamp {literal(_stamp(old['as_of']))} and change <> 'created'"
    source = f"from after_release.fct_identity_history where {since}"
    connection.execute(
        f"insert into moved_customers select customer_id {source} and customer_id is not null "
        f"union select other_customer_id {source} and other_customer_id is not null"
    )
    rows = connection.execute(f"select change, count(*) {source} group by 1 order by 1").fetchall()
    return {str(change): int(count) for change, count in rows}


def _compare_table(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    configuration: tuple[str, ...],
) -> TableDifference:
    rows = [content["tables"].get(table, {}).get("rows", 0) for content in (old, new)]
    then = _columns(connection, "before_release", table)
    now = _columns(connection, "after_release", table)
    if not then or not now:
        return TableDifference(
            table, rows[0], rows[1], added=rows[1], removed=rows[0],
            why=("the table is new" if now else "the table is no longer published",),
        )  # fmt: skip
    columns = _column_changes(then, now)
    counts: dict[str, Any] = _count_rows(
        connection, table, then, now, new["tables"][table], old["as_of"]
    )
    difference = replace(TableDifference(table, rows[0], rows[1], columns=columns), **counts)
    return replace(difference, why=_why(difference, old, new, configuration))


def _column_changes(then: Columns, now: Columns) -> tuple[str, ...]:
    changes = [f"added: {name}" for name in now if name not in then]
    changes += [f"removed: {name}" for name in then if name not in now]
    both = [name for name in now if name in then and then[name] != now[name]]
    return tuple(changes + [f"{name}: {then[name]} became {now[name]}" for name in both])


def _count_rows(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    then: Columns,
    now: Columns,
    entry: Mapping[str, Any],
    as_of: str,
) -> dict[str, Any]:
    shared = [name for name in now if then.get(name) == now[name]]
    key = [name for name in entry.get("key", ()) if name in shared] or shared
    event = next((n for n in (entry.get("month_column"), *_EVENT_TIMES) if n and n in shared), None)
    # Rows without a key are told apart by their number among equal ones.
    number = f"row_number() over (partition by {_list(key)})"
    value = f"hash({_list(shared)})"
    customer = "customer_id" if "customer_id" in shared else "null::varchar"
    at = f"{event}::timestamp" if event else "null::timestamp"
    side = f"select {_list(key)}, {number} as row_place, {value} as row_value, {customer} as who"
    row = connection.execute(
        f"""
        with before as ({side} from before_release.{table}),
        after as ({side}, {at} as event_at from after_release.{table}),
        differing as (
            select
                case
                    when before.row_place is null then 'added'
                    when after.row_place is null then 'removed'
                    else 'changed'
                end as kind,
                coalesce(after.who in (from moved_customers), false)
                    or coalesce(before.who in (from moved_customers), false) as is_moved,
                after.event_at
            from before
            full join after on before.row_place = after.row_place
                {" ".join(f"and before.{k} is not distinct from after.{k}" for k in key)}
            where before.row_value is distinct from after.row_value
        ),
        explained as (
            select kind, case
                when is_moved then 'identity'
                when kind = 'added' and event_at >= timestamp {literal(_stamp(as_of))} then 'new'
                when kind = 'added' and event_at is not null then 'late'
                else 'other'
            end as cause
            from differing
        )
        select count_if(kind = 'added'), count_if(kind = 'removed'), count_if(kind = 'changed'),
            count_if(cause = 'new'), count_if(cause = 'late'), count_if(cause = 'identity'),
            count_if(cause = 'other')
        from explained
        """
    ).fetchone()
    assert row is not None
    names = ("added", "removed", "changed", "new_rows", "late_rows", "identity_rows", "other_rows")
    return dict(zip(names, (int(count or 0) for count in row), strict=True))


_EVENT_TIMES = ("occurred_at", "started_at", "entered_at", "first_seen_at", "valid_from")


def _why(
    difference: TableDifference,
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    configuration: tuple[str, ...],
) -> tuple[str, ...]:
    why = []
    if difference.new_rows:
        why.append(f"{difference.new_rows} new rows since {old['as_of']}")
    if difference.late_rows:
        why.append(f"{difference.late_rows} late rows of before {old['as_of']}")
    if difference.identity_rows:
        why.append(
            f"{difference.identity_rows} rows of customers that were merged, split or corrected"
        )
    if difference.columns:
        why.append("columns changed: " + ", ".join(difference.columns))
    if configuration:
        why.append("rules or configuration changed: " + ", ".join(configuration))
    if old["code"]["version"] != new["code"]["version"]:
        why.append("the code changed")
    if difference.other_rows and new.get("redacts"):
        why.append("rows were erased")
    elif difference.other_rows and _aged(old, new):
        why.append(f"{difference.other_rows} rows follow from retention and what else arrived")
    elif difference.other_rows:
        why.append(f"{difference.other_rows} rows follow from what else arrived or passed")
    return tuple(why) or ("the same rows in other Parquet files",)


def _columns(connection: duckdb.DuckDBPyConnection, database_name: str, table: str) -> Columns:
    rows = connection.execute(
        "select column_name, data_type from duckdb_columns() "
        "where database_name = ? and table_name = ? order by column_index",
        [database_name, table],
    ).fetchall()
    return {str(name): str(data_type) for name, data_type in rows}


def _list(columns: list[str]) -> str:
    return ", ".join(columns)


def _stamp(instant: str) -> str:
    return instant.removesuffix("Z").replace("T", " ")
