"""The DuckDB world a demo company is simulated in: calendar, random streams, output rows.

Randomness is counter-based: the draw of a feature for a key is the MD5 of seed, feature and key.
Each feature is therefore a stream of its own, and no draw depends on how many others were made:
a longer company has the same beginning, and a new feature leaves the bytes of the others alone.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb

from orchestration.demo.parameters import DemoParameters
from orchestration.warehouse import connect

DAY = "86400000::bigint"

# What does not fit is kept in the scratch folder; Python and DuckDB's own overhead come on top.
_MEMORY = "4GB"

_MACROS = """
-- uniform in [0, 1), the stream of one feature
create macro r(feature, k) as
    (md5_number_lower('{seed}|' || feature || '|' || k::varchar) >> 11)::double
    / 9007199254740992.0;
-- exactly one of each 1/rate neighbours
create macro pick(feature, i, rate) as
    rate > 0 and i - ceil(floor(i * rate + 1e-9) / nullif(rate, 0) - 1e-9)
    = floor(r(feature, floor(i * rate + 1e-9)::bigint) * floor(1 / nullif(rate, 0)));
-- a bijection on 31 bits, so that ids of two sources share nothing
create macro scramble(i, multiplier, plus) as
    ((i::bigint * multiplier + plus + {seed} * 7919) & 2147483647);
create macro uid(feature, k) as
    regexp_replace(
        md5('{seed}|' || feature || '|' || k::varchar),
        '^(.{{8}})(.{{4}})(.{{4}})(.{{4}})(.{{12}})$', '\\1-\\2-\\3-\\4-\\5'
    );
create macro iso(ms) as
    strftime(make_timestamp(ms::bigint * 1000), '%Y-%m-%dT%H:%M:%S.%gZ');
create macro isos(ms) as
    strftime(make_timestamp(ms::bigint * 1000), '%Y-%m-%dT%H:%M:%SZ');
create macro whole_seconds(ms) as (floor(ms / 1000) * 1000)::bigint;
-- the night that delivers a row: the next one, or up to 14 days later
create macro night_of(ms, k) as
    (make_timestamp(ms::bigint * 1000)::date + 1
    + case
        when r('late', k) < {late_rows} then 1 + floor(r('late days', k) * 14)::integer
        else 0
    end)::date;
create macro csv_cell(cell) as
    case
        when cell is null then ''
        when regexp_matches(cell::varchar, '[",\n]')
            then '"' || replace(cell::varchar, '"', '""') || '"'
        else cell::varchar
    end;
-- a word with two neighbouring letters swapped, or one lost where they are the same
create macro mistyped(word) as
    case
        when substr(word, 3, 1) = substr(word, 4, 1) then left(word, 2) || substr(word, 4)
        else left(word, 2) || substr(word, 4, 1) || substr(word, 3, 1) || substr(word, 5)
    end;
create macro choose(options, u) as options[1 + floor(u * len(options))::integer];
"""


def open_world(
    parameters: DemoParameters, last_night: date, scratch: Path
) -> duckdb.DuckDBPyConnection:
    """Open an in-memory world with its calendar and macros.

    Args:
        parameters: Seed, size, start and mess.
        last_night: The last night to be delivered.
        scratch: A folder that may be filled when memory runs short.
    """
    connection = connect(":memory:")
    connection.execute(f"set temp_directory = '{scratch}'")
    connection.execute(f"set memory_limit = '{_MEMORY}'")
    connection.execute(_MACROS.format(seed=parameters.seed, late_rows=parameters.mess.late_rows))
    connection.execute(
        "create table month (m integer, from_ms bigint, to_ms bigint, first_idx bigint, n bigint)"
    )
    for month, begin, end, first_person, persons in parameters.cohorts(last_night):
        connection.execute(
            f"insert into month values ({month}, epoch_ms(timestamp '{begin}'), "
            f"epoch_ms(timestamp '{end}'), {first_person}, {persons})"
        )
    for table in ("out_row", "out_app"):
        connection.execute(
            f"""create table {table} (source varchar, entity varchar, row_key varchar,
            idx bigint, at_ms bigint, night date, line varchar)"""
        )
    connection.execute(
        """create table truth_event (source varchar, entity varchar, event_id varchar, idx bigint,
        at_ms bigint, night date, anonymous_id varchar, name varchar, mood varchar,
        user_id varchar)"""
    )
    return connection
