"""Columnar files: the SQL that makes each row of a Parquet file a JSON record, as NDJSON has it.

Decimals become texts, which keep every digit. So do floating-point numbers: a whole one without a
fraction, and one beyond what a double holds exactly in a way that no identifier passes (see the
rule `inexact_identifier`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from orchestration.ingest.contracts import Contract
from orchestration.ingest.tables import literal, quoted

_EXACT_BELOW = 2**53


def parquet_lines_sql(path: Path, number: int, wanted: str | None = None) -> str:
    """One row per row of the file, in order: `file_number`, `line`.

    Args:
        path: The file.
        number: Its number.
        wanted: A query of row numbers, from 1; only those rows are made, with `row_number`.
    """
    from pyarrow import parquet

    fields = [(field.name, field.type) for field in parquet.read_schema(path)]
    source = literal(str(path))
    line = f"select {number} as file_number, to_json({_packed(fields)})::varchar as line"
    if wanted is None:
        return f"{line} from read_parquet({source})"
    return (
        f"{line}, file_row_number + 1 as row_number"
        f" from read_parquet({source}, file_row_number = true)"
        f" where file_row_number + 1 in ({wanted})"
    )


def parquet_texts_sql(contract: Contract, path: Path, number: int) -> str | None:
    """The texts of the contract's columns straight from the columns of a flat file.

    One row per row of the file, in order: `file_number`, `line` (null: it is made where a row is
    quarantined), `shape`, `texts` (a struct whose fields are named by their paths). None where the
    contract reads below a column.
    """
    from pyarrow import parquet, types

    schema = parquet.read_schema(path)
    kinds = {field.name: field.type for field in schema}
    wanted = {path for c in contract.columns for path in (c.path, *c.aliases)}
    if any("." in name or "[" in name for name in wanted):
        return None
    values = []
    for name in sorted(wanted):
        value = "null"
        if name in kinds:
            is_nested = types.is_nested(kinds[name])
            value = f"to_json({quoted(name)})" if is_nested else _value(quoted(name), kinds[name])
        values.append(f"{quoted(name)} := ({value})::varchar")
    source = literal(str(path))
    shape = literal(json.dumps([schema.names], ensure_ascii=False))
    return (
        f"select {number} as file_number, null::varchar as line, {shape} as shape,"
        f" struct_pack({', '.join(values)}) as texts from read_parquet({source})"
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
