"""Tables that an ELT tool landed already, in its shape: a folder of files or a PostgreSQL schema.

Each record is the tool's row as it is, with what our contract reads put beside its columns.
Only rows that the tool wrote since the last fetch are taken.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from orchestration.connectors.elt_airbyte import AIRBYTE
from orchestration.connectors.elt_hubspot import HUBSPOT
from orchestration.connectors.elt_hubspot_service import SERVICE
from orchestration.connectors.elt_intercom import INTERCOM
from orchestration.connectors.elt_mailchimp import MAILCHIMP
from orchestration.connectors.elt_more import KLAVIYO, QUALTRICS
from orchestration.connectors.elt_salesforce import SALESFORCE
from orchestration.connectors.elt_zendesk import ZENDESK, Mapped
from orchestration.connectors.entries import EltEntry
from orchestration.connectors.feeds import Page, Position, PositionLost
from orchestration.connectors.postgresql import read_schema_table
from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.ingest.contracts import Contract

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FIVETRAN: Mapping[str, Mapping[str, Mapped]] = {
    "hubspot": HUBSPOT | SERVICE,
    "intercom": INTERCOM,
    "klaviyo": KLAVIYO,
    "mailchimp": MAILCHIMP,
    "qualtrics": QUALTRICS,
    "salesforce": SALESFORCE,
    "zendesk": ZENDESK,
}
TOOLS = {"airbyte": AIRBYTE, "fivetran": FIVETRAN}
_BATCH = 50_000
# Times of the tool are UTC without saying so. A row that it marks as deleted bears the time of its
# last version: the deletion is of the time at which the tool wrote it.
_MACROS = r"""
create macro utc(x) as case
    when regexp_matches(x, '(Z|[+-]\d\d(:?\d\d)?)$') then x else replace(x, ' ', 'T') || 'Z' end;
create macro is_true(x) as coalesce(lower(x) in ('true', 't', '1'), false);
create macro version_at(deleted, synced, changed) as case
    when is_true(deleted) and coalesce(utc(synced)::timestamp > utc(changed)::timestamp, true)
        then utc(synced) else utc(changed) end;
"""


class EltFeed:
    """One of our tables, out of one or several of the tool's."""

    def __init__(self, entry: EltEntry, contract: Contract) -> None:
        self._entry = entry
        self._contract = contract
        known = TOOLS[entry.tool].get(entry.vendor, {})
        if contract.entity not in known:
            raise JourneylineError(
                f"{entry.vendor} of {entry.tool} has no table {contract.entity} that we read.",
                f"connector of {contract.source} in orchestration/config/sources.yml",
                f"It has {', '.join(known) or 'none'}.",
                EXIT_USAGE,
            )
        self._mapped = known[contract.entity]

    def begin(self, cursor: Mapping[str, Any] | None, started_at: datetime) -> dict[str, Any]:
        """What the tool wrote since the last fetch, less the overlap."""
        with closing(self._opened()) as tables:
            row = tables.execute(f"select max(synced) from ({self._mapped.query})").fetchone()
        since = None if cursor is None else cursor.get("synced")
        return {"since": since, "until": row[0] if row else None}

    def finish(self, plan: Mapping[str, Any]) -> dict[str, Any]:
        """The newest time of the tool's that was taken."""
        return {"synced": plan["until"] or plan["since"]}

    def check(self) -> str:
        """Look for the tables and count the rows."""
        with closing(self._opened()) as tables:
            row = tables.execute(f"select count(*) from ({self._mapped.query})").fetchone()
        return f"answers; {row[0] if row else 0} row(s)"

    def pages(self, plan: Mapping[str, Any], position: Position | None) -> Iterator[Page]:
        """The rows in batches.

        Raises:
            PositionLost: Another process began to read.
        """
        if position is not None:
            raise PositionLost("a query cannot be gone on with")
        minutes = self._entry.overlap_minutes
        with closing(self._opened()) as tables:
            found = tables.execute(
                f"""select record::varchar from ({self._mapped.query})
                where $since is null or synced::timestamp >= $since::timestamp
                    - to_seconds({minutes * 60})
                order by synced, record""",
                {"since": plan["since"]},
            )
            number = 0
            while rows := found.fetchmany(_BATCH):
                number += 1
                yield Page([line for (line,) in rows], {"batch": number}, may_repeat=True)
        yield Page([], None)

    def _opened(self) -> DuckDBPyConnection:
        """The tool's tables, every value as text."""
        connection = duckdb.connect()
        connection.execute(_MACROS)
        try:
            for name, columns in self._mapped.tables.items():
                self._register(connection, name, columns)
        except BaseException:
            connection.close()
            raise
        return connection

    def _register(
        self, connection: DuckDBPyConnection, name: str, columns: tuple[str, ...]
    ) -> None:
        found = self._read(name)
        if found is None:
            if name not in self._mapped.optional:
                raise JourneylineError(
                    f"The table {name} is not there.",
                    str(self._entry.folder or self._entry.schema_name),
                    "Look whether folder, file_name or schema_name of the entry are right.",
                )
            found = pa.table({column: pa.array([], pa.string()) for column in columns})
        for column in columns:
            if column not in found.column_names:
                found = found.append_column(column, pa.nulls(found.num_rows, pa.string()))
        connection.register(f"landed_{name}", found)
        connection.execute(f'create table "{name}" as select * from landed_{name}')
        connection.unregister(f"landed_{name}")

    def _read(self, name: str) -> pa.Table | None:
        if self._entry.folder is None:
            return read_schema_table(
                self._entry.url_from or "", self._entry.schema_name or "", name
            )
        path = Path(self._entry.folder) / self._entry.file_name.format(table=name)
        return _read_csv(path) if path.is_file() else None


def _read_csv(path: Path) -> pa.Table:
    """A CSV file as texts; an empty cell is no value.

    Raises:
        JourneylineError: A row has other fields than the header, or the file is no UTF-8.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, strict=True)
            header = next(rows, [])
            columns: list[list[str | None]] = [[] for _ in header]
            for row in rows:
                if len(row) != len(header):
                    raise ValueError(f"{len(row)} fields instead of {len(header)}")
                for column, value in zip(columns, row, strict=True):
                    column.append(value or None)
    except (ValueError, csv.Error) as error:
        raise JourneylineError(
            f"The file cannot be read: {error}.",
            f"{path}:{rows.line_num}",
            "Have the tool write it again.",
        ) from error
    return pa.table([pa.array(column, pa.string()) for column in columns], names=header)
