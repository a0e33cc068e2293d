"""Reading: the SQL that turns files of one table into a typed batch with the first broken rule.

The batch is a temporary view; one row per delivered record, in the order of the files and of their
lines: `row_id` (its place, from 0), `file_number`, `failure` (number of the broken rule, null when
none), `value` and `payload` (both only where a rule is broken), `shape` (the JSON keys, as JSON, or
the place of a usual one), `row_hash`, `key_hash`, and a column `c1` … per contract column, typed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestration.ingest.casting import cast_sql
from orchestration.ingest.columnar import parquet_lines_sql, parquet_texts_sql
from orchestration.ingest.contracts import Contract
from orchestration.ingest.guards import MAX_LINE_BYTES
from orchestration.ingest.json_fields import (
    field_sql,
    json_parents,
    json_path,
    keys_of,
    nested_path,
    record_structure,
    wanted_paths,
)
from orchestration.ingest.tables import literal

MAX_JSON_DEPTH = 100
DEPTH_CHECKED_FROM_BYTES = 1000
_SAMPLED_ROWS = 500
_LINE_ROOM = MAX_LINE_BYTES + 1024
_USUAL_SHAPES = 9
_FIELD, _NEWLINE, _BROKEN = "chr(31)", "chr(30)", "chr(29)"


@dataclass(frozen=True)
class InputFile:
    """A file that holds a record on each line, or a Parquet file.

    Args:
        path: The file.
        number: Tells its records apart from those of the other files of a batch.
        header: Columns of a CSV in the order of the file; empty for others.
    """

    path: Path
    number: int = 0
    header: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rule:
    """One way for a row to break the contract.

    Args:
        number: Its place: of several broken rules the first counts.
        name: malformed_json, malformed_csv, missing_required, wrong_type, inexact_number,
            inexact_identifier or not_in_set.
        column_name: The column it is about; None when it is about the whole row.
        condition: SQL over the texts `t1` … and the typed values `c1` ….
        value: SQL of the offending value.
    """

    number: int
    name: str
    column_name: str | None
    condition: str
    value: str


def rules_of(contract: Contract) -> list[Rule]:
    """The rules of a contract in the order in which they are tried."""
    numbered = list(enumerate(contract.columns, start=1))
    found: list[tuple[str, str | None, str, str]] = [
        (f"malformed_{'json' if contract.is_json else 'csv'}", None, "not ok", "null")
    ]
    for i, column in numbered:
        if column.is_required:
            found.append(("missing_required", column.name, f"t{i} is null", "null"))
    for i, column in numbered:
        if column.physical_type != "text":
            condition = f"c{i} is null and t{i} is not null"
            found.append(("wrong_type", column.name, condition, f"t{i}"))
    for i, column in numbered:
        if contract.is_json and column.physical_type.startswith("decimal"):
            # A JSON number of more digits than a double keeps has lost some on its way here.
            path = literal(json_path(contract, column.path))
            condition = f"case when strlen(t{i}) > 16 then json_type(line, {path}) = 'DOUBLE' end"
            found.append(("inexact_number", column.name, condition, f"t{i}"))
    for i, column in numbered:
        if column.is_identifier and column.physical_type == "text":
            # As a spreadsheet writes a number that it could not keep; nothing else looks so.
            condition = f"t{i}[2] = '.' and regexp_full_match(t{i}, '[0-9][.][0-9]+[eE][+][0-9]+')"
            if contract.format in ("parquet", "xlsx"):
                condition = f"({condition}) or lower(t{i}) in ('nan', 'inf', '-inf')"
            found.append(("inexact_identifier", column.name, condition, f"t{i}"))
    for i, column in numbered:
        if column.allowed_values:
            allowed = ", ".join(literal(value) for value in column.allowed_values)
            # A long `in (…)` becomes a join, and rows behind a join lose the order of the file.
            condition = f"not list_contains([{allowed}], t{i})"
            found.append(("not_in_set", column.name, condition, f"t{i}"))
    return [Rule(number, *parts) for number, parts in enumerate(found, start=1)]


def batch_sql(
    contract: Contract,
    files: Sequence[InputFile],
    too_deep: list[str],
    usual_shapes: list[str],
) -> str:
    """The query whose rows are the batch.

    Args:
        contract: The table's contract.
        files: The files in the order of their deliveries.
        too_deep: md5 of the lines that nest deeper than `MAX_JSON_DEPTH`.
        usual_shapes: Shapes that are written as their place in this list, from 1.
    """
    rules = rules_of(contract)
    columns = list(enumerate(contract.columns, start=1))
    has_newlines = not contract.is_json and not all(is_plain_csv(file.path) for file in files)
    is_struct = record_structure(contract) is not None
    texts = ", ".join(
        f"nullif({_text(contract, i, has_newlines, is_struct)}, '') as t{i}" for i, _ in columns
    )
    casts = ", ".join(f"{cast_sql(column, f't{i}')} as c{i}" for i, column in columns)
    names = ", ".join(f"c{i}" for i, _ in columns)
    failure = " ".join(f"when {rule.condition} then {rule.number}" for rule in rules)
    values = " ".join(f"when {rule.number} then {rule.value}" for rule in rules)
    keys = [i for i, column in columns if column.key_position is not None]
    # Not kept beyond the batch, so it need not be the same in every version of the engine.
    key_hash = "row_hash"
    if keys and contract.version_column is None:
        key_hash = f"hash({', '.join(f't{i}' for i in keys)})"
    shape = "shape"
    if usual_shapes:
        places = " ".join(f"when {literal(s)} then '{n}'" for n, s in enumerate(usual_shapes, 1))
        shape = f"case shape {places} else shape end as shape"
    read = _texts_of_json(contract, files, too_deep)
    if not contract.is_json:
        read = _texts_of_csv(contract, files)
    return f"""
with read as ({read}),
named as (select file_number, line, shape, texts is not null as ok, texts, {texts} from read),
typed as (select *, {_hash([i for i, _ in columns])} as row_hash, {casts} from named),
judged as (select *, {key_hash} as key_hash,
    (case {failure} end)::smallint as failure from typed)
select file_number, failure, case failure {values} end as value,
    case when failure is not null then {payload_sql(contract)} end as payload,
    {shape}, row_hash, key_hash, {names}
from judged
"""


def usual_shapes_sql(contract: Contract, file: InputFile) -> str:
    """The shapes of most of the first records of a file, which save room where rows bear them."""
    return f"""
select shape from (
    select shape from ({_texts_of_json(contract, [file], [])}) limit {_SAMPLED_ROWS}
)
where shape is not null group by shape order by count(*) desc, shape limit {_USUAL_SHAPES}
"""


def lines_sql(files: Sequence[InputFile]) -> str:
    """One row per record of the files, in order: `file_number`, `line`."""
    if files[0].path.suffix == ".parquet":
        return " union all ".join(parquet_lines_sql(file.path, file.number) for file in files)
    listed = ", ".join(literal(str(file.path)) for file in files)
    numbers = ", ".join(str(file.number) for file in files)
    skip = 1 if is_plain_csv(files[0].path) else 0
    return f"""
select [{numbers}][file_index::bigint + 1] as file_number, coalesce(line, '') as line
from read_csv([{listed}], auto_detect = false, header = false, columns = {{'line': 'varchar'}},
    delim = '\x01', quote = '', escape = '', comment = '', new_line = '\\n', strict_mode = false,
    skip = {skip}, max_line_size = {_LINE_ROOM}, buffer_size = {2 * _LINE_ROOM})
"""


def is_plain_csv(path: Path) -> bool:
    """Whether a file is a CSV as delivered, with its header; a rewritten one has no suffix."""
    return ".csv" in path.suffixes


def payload_sql(contract: Contract) -> str:
    """The record as it was delivered, from `line` (and `texts`, where it was split)."""
    if contract.is_json:
        return "line"
    original = len(contract.columns) + 1
    return f"""
case
    when line[1] = {_BROKEN} then replace(substr(line, 2), {_NEWLINE}, chr(10))
    else coalesce(
        replace(string_split(line, {_FIELD})[{original}], {_NEWLINE}, chr(10)),
        replace(line, {_FIELD}, {literal(contract.delimiter)})
    )
end
"""


def suspects_sql(files: Sequence[InputFile]) -> str:
    """The lines that may nest too deep: long ones with more brackets than the bound."""
    return f"""
with lines as ({lines_sql(files)})
select line from lines
where strlen(line) >= {DEPTH_CHECKED_FROM_BYTES}
    and 2 * strlen(line) - strlen(replace(line, '{{', '')) - strlen(replace(line, '[', ''))
        > {MAX_JSON_DEPTH}
"""


def _texts_of_json(contract: Contract, files: Sequence[InputFile], too_deep: list[str]) -> str:
    structure = record_structure(contract)
    if contract.format == "parquet" and structure is not None:
        direct = [parquet_texts_sql(contract, file.path, file.number) for file in files]
        if all(direct):
            return " union all ".join(sql for sql in direct if sql)
    if structure is not None:
        texts = f"json_transform(line, {literal(structure)})"
    else:
        paths = [literal(json_path(contract, path)) for path in wanted_paths(contract)]
        texts = f"json_extract_string(line, [{', '.join(paths)}])"
    inner = [literal(nested_path(parent)) for parent in json_parents(contract) if parent]
    parents = ", ".join(["'$'", *inner])
    kinds = f" || '|' || to_json(json_type(line, [{', '.join(inner)}]))::varchar" if inner else ""
    deep = ""
    if too_deep:
        listed = ", ".join(literal(digest) for digest in too_deep)
        is_long = f"strlen(line) >= {DEPTH_CHECKED_FROM_BYTES}"
        deep = f"when {is_long} and list_contains([{listed}], md5(line)) then false"
    return f"""
select file_number, line,
    case when is_object then {texts} end as texts,
    case when is_object then json_keys(line, [{parents}])::json::varchar{kinds} end as shape
from (
    select *, case {deep} when ltrim(line)[1] <> '{{' then false else json_valid(line) end
        as is_object
    from ({lines_sql(files)})
)
"""


def _texts_of_csv(contract: Contract, files: Sequence[InputFile]) -> str:
    """Files of one header are read together; only the order within a file matters later."""
    layouts: dict[tuple[str, ...] | None, list[InputFile]] = {}
    for file in files:
        layouts.setdefault(file.header if is_plain_csv(file.path) else None, []).append(file)
    return " union all ".join(
        _rewritten_csv(alike) if header is None else _plain_csv(contract, header, alike)
        for header, alike in layouts.items()
    )


def _rewritten_csv(files: list[InputFile]) -> str:
    return f"""
select file_number, line, null::varchar as shape,
    case when line[1] is distinct from {_BROKEN} then string_split(line, {_FIELD}) end as texts
from ({lines_sql(files)})
"""


def _plain_csv(contract: Contract, header: tuple[str, ...], files: list[InputFile]) -> str:
    places = column_places(contract, header)
    ordered = "fields"
    if places != list(range(len(header))):
        picked = ", ".join("null" if p is None else f"fields[{p + 1}]" for p in places)
        ordered = f"[{picked}]"
    return f"""
select file_number, line, null::varchar as shape,
    case when len(fields) = {len(header)} then {ordered} end as texts
from (
    select *, string_split(line, {literal(contract.delimiter)}) as fields
    from ({lines_sql(files)})
)
"""


def column_places(contract: Contract, header: Sequence[str]) -> list[int | None]:
    """Where a header has each column of the contract, by its path or one of its aliases."""
    return [
        next((header.index(name) for name in (c.path, *c.aliases) if name in header), None)
        for c in contract.columns
    ]


def _text(contract: Contract, number: int, has_newlines: bool, is_struct: bool) -> str:
    text = f"texts[{number}]"
    if not contract.is_json:
        return f"replace({text}, {_NEWLINE}, chr(10))" if has_newlines else text
    column = contract.columns[number - 1]
    if is_struct:
        found = [
            field_sql("texts", keys_of(contract, path)) for path in (column.path, *column.aliases)
        ]
    else:
        before = sum(len(other.aliases) for other in contract.columns[: number - 1])
        first = len(contract.columns) + before + 1
        found = [text, *(f"texts[{first + place}]" for place in range(len(column.aliases)))]
    return f"coalesce({', '.join(found)})" if len(found) > 1 else found[0]


def _hash(numbers: list[int]) -> str:
    parts = ", ".join(f"coalesce(t{i}, {_NEWLINE})" for i in numbers)
    return f"md5_number_lower(concat_ws({_FIELD}, {parts}))"
