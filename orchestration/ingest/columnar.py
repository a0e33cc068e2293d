"""Columnar files: the SQL that makes each row of a Parquet file a JSON record, as NDJSON has it.

Decimals become texts, which keep every digit. So do floating-point numbers: a whole one without a
fraction, and one beyond what a double holds exactly in a way that no identifier passes (see the
rule `inexact_identifier`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchestration.ingest.tables import literal, quoted

_EXACT_BELOW = 2**53


def parquet_lines_sql(path: Path) -> str:
    """One row per row of the file, in order: `file_path`, `line`."""
    from pyarrow import parquet

    fields = [(field.name, field.type) for field in parquet.read_schema(path)]
    source = literal(str(path))
    return (
        f"select {source} as file_path, to_json({_packed(fields)})::varchar as line"
        f" from read_parquet({source})"
    )


def parquet_header(path: Path) -> tuple[str, ...]:
    """The file's columns in their order."""
    from pyarrow import parquet

    return tuple(parquet.read_schema(path).names)


def _packed(fields: list[tuple[str, Any]], parent: str = "") -> str:
    values = [f"{quoted(name)} := {_value(parent + quoted(name), kind)}" for name, kind in fields]
    return f"struct_pack({', '.join(values)})"


def _value(name: str, kind: Any) -> str:
    """SQL of one field; the fields of a struct are gone through as well."""
    from pyarrow import types

    if types.is_floating(kind):
        return _number(name)
    if types.is_decimal(kind):
        return f"{name}::varchar"
    if types.is_struct(kind) and kind.num_fields:
        inner = [
            (kind.field(place).name, kind.field(place).type) for place in range(kind.num_fields)
        ]
        return f"case when {name} is not null then {_packed(inner, f'{name}.')} end"
    return name


def _number(name: str) -> str:
    return (
        f"case when isfinite({name}) and {name} = trunc({name}) then"
        f" if(abs({name}) < {_EXACT_BELOW}, {name}::bigint::varchar,"
        f" format('{{:.16e}}', {name}::double)) else {name}::varchar end"
    )
