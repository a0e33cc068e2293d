"""Row counts of warehouse tables, for the metadata of assets."""

from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing

import dagster as dg

from orchestration import warehouse
from orchestration.settings import Settings

_DELIVERED = """
    select
        source || '/' || entity as source_table,
        sum(accepted_count) as accepted_rows,
        sum(quarantined_count) as quarantined_rows,
        sum(duplicate_count) as duplicate_rows
    from ingest.deliveries
    where load_number = ?
    group by all
"""


def row_counts(settings: Settings, keys: Iterable[dg.AssetKey]) -> dict[dg.AssetKey, int]:
    """Rows of the tables and views among `keys`, read in one short connection.

    A view is counted by a scan without columns, which costs DuckDB next to nothing.
    """
    if not settings.warehouse.exists():
        return {}
    wanted = {tuple(key.path): key for key in keys}
    with closing(warehouse.connect(settings.warehouse, read_only=True)) as connection:
        present = connection.execute(
            "select schema_name, table_name from duckdb_tables() where not internal "
            "union all "
            "select schema_name, view_name from duckdb_views() where not internal"
        ).fetchall()
        counts = {}
        for schema, table in present:
            if (schema, table) in wanted:
                row = connection.execute(f'select count(*) from "{schema}"."{table}"').fetchone()
                counts[wanted[schema, table]] = row[0]
        return counts


def delivered_rows(settings: Settings, load_number: int | None) -> dict[str, dict[str, int]]:
    """Accepted, quarantined and duplicate rows of one load, by `source/entity`."""
    delivered: dict[str, dict[str, int]] = defaultdict(dict)
    if load_number is None:
        return delivered
    with closing(warehouse.connect(settings.warehouse, read_only=True)) as connection:
        for table, accepted, quarantined, duplicates in connection.execute(
            _DELIVERED, [load_number]
        ).fetchall():
            delivered[table] = {
                "accepted_rows": int(accepted),
                "quarantined_rows": int(quarantined),
                "duplicate_rows": int(duplicates),
            }
    return delivered
