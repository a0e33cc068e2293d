"""What goes wrong on the way: rows delivered twice, broken rows, a source's missing night.

Late rows are in `night_of`; difficulties of records in `records`; clock skew in `app`.
"""

from __future__ import annotations

import duckdb

from orchestration.demo.parameters import DemoParameters

_DUPLICATES = """
insert into {table}
select * replace (night + 1 as night) from {table}
where r('delivered twice', source || entity || row_key) < {rate}
"""

# Broken rows are extra ones, so that no record of the truth vanishes.
_BROKEN = """
create or replace temp table newly_broken as
select
    * exclude (line),
    case
        when left(line, 1) = '{{' then choose(['not_json', 'bad_timestamp', 'no_key'], u)
        else choose(['bad_timestamp', 'no_key'], u)
    end as fault,
    case
        when left(line, 1) = '{{' and u < 1 / 3 then left(line, length(line) // 2)
        when left(line, 1) = '{{' and u < 2 / 3 then
            regexp_replace(line, '"20[0-9]{{2}}-[0-9]{{2}}-[0-9]{{2}}T[^"]*"', '"soon"')
        when left(line, 1) = '{{' then
            regexp_replace(line, '^\\{{"([A-Za-z_]+)":("[^"]*"|[0-9]+)', '{{"\\1":null')
        when u < 0.5 then
            regexp_replace(line, '20[0-9]{{2}}-[0-9]{{2}}-[0-9]{{2}}T[0-9:]*Z', 'soon')
        else regexp_replace(line, '^[^,]*', '')
    end as line
from (
    select *, r('fault', source || entity || row_key) as u from {table}
    where r('broken', source || entity || row_key) < {rate}
)
"""


def create_broken(world: duckdb.DuckDBPyConnection) -> None:
    """Create the empty table of broken rows."""
    world.execute(
        """create table broken (source varchar, entity varchar, row_key varchar, night date,
        fault varchar, line varchar)"""
    )


def make_mess(world: duckdb.DuckDBPyConnection, parameters: DemoParameters, table: str) -> None:
    """Add broken rows and repeated rows to the rows of `table` (out_row, or one month's)."""
    mess = parameters.mess
    world.execute(_BROKEN.format(table=table, rate=mess.broken_rows))
    world.execute(_DUPLICATES.format(table=table, rate=mess.duplicate_rows))
    world.execute(
        "insert into broken select source, entity, row_key, night, fault, line from newly_broken"
    )
    world.execute(
        f"insert into {table} select source, entity, 'broken|' || row_key, idx, at_ms, night, line "
        "from newly_broken"
    )


def skip_missing_night(world: duckdb.DuckDBPyConnection, parameters: DemoParameters) -> None:
    """Zendesk delivers nothing on the missing night; its rows come the night after."""
    night = parameters.night(parameters.mess.missing_night)
    world.execute(
        "update out_row set night = night + 1 where source = 'zendesk' and night = ?", [night]
    )
