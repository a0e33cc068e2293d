"""Casting: the SQL that makes a typed value of a text, or nothing where it is none."""

from __future__ import annotations

from orchestration.ingest.contracts import Column
from orchestration.ingest.tables import literal


def cast_sql(column: Column, text: str) -> str:
    """The value of a text as the column's type; null where it is none."""
    kind = column.physical_type
    if kind == "text":
        return text
    if kind == "bigint":
        whole = f"regexp_full_match({text}, '[+-]?[0-9]+([.]0+)?')"
        return f"case when {whole} then try_cast(split_part({text}, '.', 1) as bigint) end"
    if kind == "boolean":
        return f"case lower({text}) when 'true' then true when 'false' then false end"
    if kind == "date":
        return f"case when strlen({text}) = 10 then try_cast({text} as date) end"
    if kind == "timestamp":
        return _cast_instant(column, text)
    if kind == "json":
        return f"case when {text}[1] in ('{{', '[') and json_valid({text}) then {text} end"
    return f"try_cast({text} as {kind})"


def _cast_instant(column: Column, text: str) -> str:
    offset = ":[0-9.]+ ?[+-][0-9]{2}(:?[0-9]{2})?$"
    # A timestamp without a zone reads what ends in Z alike, several times faster.
    cases = f"when ends_with({text}, 'Z') then try_cast({text} as timestamp)"
    zoned = f"regexp_matches({text}, '{offset}')"
    cases += f" when {zoned} then try_cast({text} as timestamptz)::timestamp"
    epoch = _epoch(text)
    if column.epoch_zone is not None:
        epoch = f"timezone({literal(column.epoch_zone)}, {epoch})::timestamp"
    cases += f" when {text}[5] <> '-' and {_IS_EPOCH.format(text)} then {epoch}"
    if column.time_format is not None:
        parsed = f"try_strptime({text}, {literal(column.time_format)})"
        local = f"timezone({literal(column.default_zone or 'UTC')}, {parsed})::timestamp"
        cases += f" when {parsed} is not null then {local}"
    if column.default_zone is not None:
        local = f"timezone({literal(column.default_zone)}, try_cast({text} as timestamp))"
        cases += f" when strlen({text}) >= 10 then {local}::timestamp"
    return f"case {cases} end"


# Seconds since 1970 are of 9 to 11 digits from 1973 to 5138, and so on by thousands; eight digits
# are a day written without dashes and no epoch.
_IS_EPOCH = "regexp_full_match({}, '[0-9]{{9,19}}([.][0-9]+)?')"


def _epoch(text: str) -> str:
    number = f"try_cast({text} as decimal(38, 9))"
    return (
        f"try(make_timestamp(floor(case when {number} < 1e11 then {number} * 1000000"
        f" when {number} < 1e14 then {number} * 1000 when {number} < 1e17 then {number}"
        f" else {number} / 1000 end)::bigint))"
    )
