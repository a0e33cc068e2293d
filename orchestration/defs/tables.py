"""Row counts of warehouse tables, for the metadata of assets."""

from collections.abc import Iterable

import dagster as dg

from orchestration import warehouse
from orchestration.settings import Settings


def row_counts(settings: Settings, keys: Iterable[dg.AssetKey]) -> dict[dg.AssetKey, int]:
    """Rows of the tables among `keys` (views are left out), read in one short connection."""
    if not settings.warehouse.exists():
        return {}
    wanted = {tuple(key.path): key for key in keys}
    connection = warehouse.connect(settings.warehouse, read_only=True)
    try:
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() where not internal"
        ).fetchall()
        counts = {}
        for schema, table in tables:
            if (schema, table) in wanted:
                row = connection.execute(f'select count(*) from "{schema}"."{table}"').fetchone()
                counts[wanted[schema, table]] = row[0]
        return counts
    finally:
        connection.close()
