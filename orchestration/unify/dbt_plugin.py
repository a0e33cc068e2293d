"""A dbt-duckdb plugin: bounds dbt's memory, brings along the normalisers, gives each cursor the
pseudonym key.

The key reaches no log: its padded blocks become DuckDB variables, set by prepared statements; the
`pseudonym` macro names only the variables.
"""

from __future__ import annotations

from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin
from duckdb import DuckDBPyConnection

from orchestration.keys import hmac_blocks, pseudonym_key
from orchestration.settings import Settings, memory_limit
from orchestration.unify.normalising import normal_form_by_text


class Plugin(BasePlugin):
    """Sets the memory limit, and `jl_inner` and `jl_outer`, the key blocks of HMAC-SHA256."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Nothing to configure: the settings come from the environment."""

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Bound the memory of dbt's DuckDB instance and register the normalisers in it."""
        conn.execute(f"set memory_limit = '{memory_limit()}'")
        register_normal_form(conn)

    def configure_cursor(self, cursor: DuckDBPyConnection) -> None:
        """Set the key blocks as variables of this cursor: each dbt node has one of its own."""
        inner, outer = hmac_blocks(pseudonym_key(Settings.from_environment()))
        cursor.execute("set variable jl_inner = ?::blob", [inner])
        cursor.execute("set variable jl_outer = ?::blob", [outer])


def register_normal_form(conn: DuckDBPyConnection) -> None:
    """Make `normal_form_by_text` a function of the connection's database instance, once."""
    known = conn.execute(
        "select count(*) from duckdb_functions() where function_name = 'journeyline_normal_form'"
    ).fetchone()
    if known == (0,):
        conn.create_function(
            "journeyline_normal_form",
            normal_form_by_text,
            ["VARCHAR", "VARCHAR", "VARCHAR"],
            "VARCHAR",
        )
