"""PostgreSQL through ADBC: Arrow from the server to the file, every value as the server writes it.

The server turns values into text, so that a decimal, an identifier or an endless date arrives as it
is and the contract decides what it may be.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import TYPE_CHECKING, Any

from orchestration.connectors.databases import DatabaseFeed, explained
from orchestration.connectors.rest import secret

if TYPE_CHECKING:
    import pyarrow as pa
    from adbc_driver_manager.dbapi import Cursor


class PostgresFeed(DatabaseFeed):
    """One table or query of a PostgreSQL server."""

    def check(self) -> str:
        """Ask the server for the columns, and for rows that an incremental fetch never sees."""
        with self._asking() as cursor:
            columns = self._schema(cursor).names
            if self.table.cursor_column is None:
                return f"answers; {len(columns)} columns"
            name = _quoted(self.table.cursor_column)
            cursor.execute(f"select exists(select 1 from {self._from()} where {name} is null)")
            row = cursor.fetchone()
            unseen = f"; rows without {self.table.cursor_column} are never fetched"
            return f"answers; {len(columns)} columns" + (unseen if row and row[0] else "")

    def newest(self) -> str | None:
        """The highest value of the cursor column, as text."""
        with self._asking() as cursor:
            cursor.execute(
                f"select max({_quoted(self.table.cursor_column or '')})::text from {self._from()}"
            )
            row = cursor.fetchone()
            return None if row is None or row[0] is None else str(row[0])

    def batches(self, since: Any, until: Any) -> Iterator[list[str]]:
        """Rows as JSON lines, in Arrow's batches."""
        import duckdb

        with self._asking() as cursor, closing(duckdb.connect()) as writer:
            schema = self._schema(cursor)
            chosen = ", ".join(_as_text(field) for field in schema)
            where = ""
            if self.table.cursor_column is not None:
                where = self._window(schema.field(self.table.cursor_column), since, until)
            cursor.execute(f"select {chosen} from {self._from()}{where}")
            members = ", ".join(f"{_literal(n)}, {_quoted(n)}" for n in schema.names)
            for batch in cursor.fetch_record_batch():
                if not batch.num_rows:
                    continue
                writer.register("batch", batch)
                lines = writer.execute(f"select json_object({members})::varchar from batch")
                yield [line for (line,) in lines.fetchall()]
                writer.unregister("batch")

    def _window(self, field: pa.Field, since: Any, until: Any) -> str:
        import pyarrow as pa

        name = _quoted(field.name)
        kind, earlier = "", ""
        if pa.types.is_timestamp(field.type):
            kind = "::timestamptz" if field.type.tz else "::timestamp"
            earlier = f" - interval '{self.entry.overlap_minutes} minutes'"
        elif pa.types.is_date(field.type):
            kind, earlier = "::date", " - 1"
        window = f" where {name} <= {_literal(str(until))}{kind}"
        if since is not None:
            window += f" and {name} >= {_literal(str(since))}{kind}{earlier}"
        elif self.entry.start_at is not None and kind:
            window += f" and {name} >= {_literal(self.entry.start_at.isoformat())}{kind}"
        return f"{window} order by {name}"

    def _from(self) -> str:
        if self.table.table is not None:
            return ".".join(_quoted(part) for part in self.table.table.split("."))
        return f"({self.table.query}) as fetched"

    def _schema(self, cursor: Cursor) -> pa.Schema:
        return _schema_of(cursor, self._from())

    def _asking(self) -> AbstractContextManager[Cursor]:
        return asking(secret(self.entry.url_from), self.contract.label)


@contextmanager
def asking(address: str, label: str) -> Iterator[Cursor]:
    """A cursor that can only read, in UTC.

    Args:
        address: The server's URL.
        label: The table, for an error.

    Raises:
        JourneylineError: The server cannot be reached or refuses the query.
    """
    import pyarrow as pa
    from adbc_driver_postgresql import dbapi

    try:
        with dbapi.connect(address) as connection, connection.cursor() as cursor:
            cursor.execute("set transaction read only")
            cursor.execute("set time zone 'UTC'")
            yield cursor
    except (dbapi.Error, pa.ArrowException, OSError, KeyError) as error:
        raise explained("PostgreSQL", label, error, address) from None


def read_schema_table(url_from: str, schema: str, name: str) -> pa.Table | None:
    """A whole table as texts; None where the schema has none of that name.

    Raises:
        JourneylineError: The server cannot be reached.
    """

    with asking(secret(url_from), f"{schema}.{name}") as cursor:
        cursor.execute(
            "select count(*) from information_schema.tables "
            f"where table_schema = {_literal(schema)} and table_name = {_literal(name)}"
        )
        row = cursor.fetchone()
        if row is None or not row[0]:
            return None
        place = f"{_quoted(schema)}.{_quoted(name)}"
        chosen = ", ".join(_as_text(field) for field in _schema_of(cursor, place))
        cursor.execute(f"select {chosen} from {place}")
        found: pa.Table = cursor.fetch_arrow_table()
        return found


def _schema_of(cursor: Cursor, place: str) -> pa.Schema:
    cursor.execute(f"select * from {place} limit 0")
    return cursor.fetch_record_batch().schema


def _as_text(field: pa.Field) -> str:
    import pyarrow as pa

    name = _quoted(field.name)
    is_list = pa.types.is_list(field.type)
    return f"to_jsonb({name})::text as {name}" if is_list else f"{name}::text as {name}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
