"""Sampling: a few records of a file, a landed table or a database table, as texts by path.

For people who begin a contract. Nothing here is loaded, and no contract is needed.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.ingest.contracts import DELIMITERS
from orchestration.ingest.landing import list_deliveries, suffix_of
from orchestration.settings import Settings

ROWS = 2000
_HEAD_BYTES = 8 << 20
_DEPTH = 3
_MOST_KEYS = 30


@dataclass(frozen=True)
class Sample:
    """Records as texts.

    Args:
        format: Format of the file; ndjson for a database table, as connectors land it.
        delimiter: What stands between the fields of a CSV file.
        records: Values by path; a value is a text, or a list or an object as JSON.
        containers: Paths whose values are JSON.
        paths: Every path that is there, one without any value too.
        has_final_newline: Whether a text file ends with one.
    """

    format: str
    delimiter: str
    records: list[dict[str, str]]
    containers: frozenset[str]
    paths: tuple[str, ...]
    has_final_newline: bool = True


def take_sample(settings: Settings, what: str) -> Sample:
    """The first records of what a person names.

    Args:
        settings: The home folder.
        what: A file, the `source/entity` of something in landing, or `URL#TABLE` of a database.

    Raises:
        JourneylineError: It is nothing of it, or holds no record.
    """
    path = Path(what)
    if path.is_file():
        sample = _of_file(path)
    elif "://" in what and "#" in what:
        sample = _of_table(*what.rsplit("#", 1))
    else:
        landed = [d for d in list_deliveries(settings) if f"{d.source}/{d.entity}" == what]
        if not landed:
            raise _nothing(what, "There is no such file, landed table or database table.")
        sample = _of_file(landed[-1].file)
    if not sample.records:
        raise _nothing(what, "It holds no record.")
    return sample


def _of_file(path: Path) -> Sample:
    suffix = suffix_of(path)
    if not suffix:
        raise _nothing(str(path), "The file's format is not known by its name.")
    kind = suffix.split(".")[1]
    if kind == "parquet":
        from pyarrow import parquet

        with parquet.ParquetFile(path) as file:
            batches = (batch.to_pylist() for batch in file.iter_batches(ROWS))
            return _flattened("parquet", islice((r for b in batches for r in b), ROWS))
    if kind == "xlsx":
        from python_calamine import load_workbook

        rows = load_workbook(str(path)).get_sheet_by_index(0).to_python(nrows=ROWS + 1)
        header = [str(cell) for cell in rows[0]] if rows else []
        named = (dict(zip(header, row, strict=False)) for row in rows[1:])
        return _named("xlsx", ",", header, named)
    text = _head(path, suffix)
    sample = _of_text(kind, text)
    return replace(sample, has_final_newline=text.endswith("\n"))


def _of_text(kind: str, text: str) -> Sample:
    if kind == "csv":
        delimiter = max(DELIMITERS, key=text.partition("\n")[0].count)
        reader = csv.DictReader(io.StringIO(text), delimiter=delimiter)
        return _named("csv", delimiter, reader.fieldnames or [], islice(reader, ROWS))
    records = _array(text) if kind == "json" else _lines(text)
    return _flattened(kind, islice(records, ROWS))


def _of_table(url: str, table: str) -> Sample:
    import sqlalchemy

    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    try:
        columns = sqlalchemy.Table(table, sqlalchemy.MetaData(), autoload_with=engine)
        with engine.connect() as connection:
            rows = connection.execute(columns.select().limit(ROWS)).mappings().all()
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise _nothing(table, f"The table cannot be read: {type(error).__name__}.") from error
    finally:
        engine.dispose()
    return _flattened("ndjson", ({str(name): value for name, value in row.items()} for row in rows))


def _head(path: Path, suffix: str) -> str:
    """The beginning of a text file, without a record that it may end in."""
    if suffix.endswith(".gz"):
        with gzip.open(path) as file:
            head = file.read(_HEAD_BYTES)
    elif suffix.endswith(".zst"):
        from backports import zstd

        with zstd.open(path) as file:
            head = file.read(_HEAD_BYTES)
    else:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    if len(head) == _HEAD_BYTES:
        head = head[: head.rfind(b"\n") + 1]
    try:
        return head.decode("utf-8-sig")
    except UnicodeDecodeError:
        return head.decode("windows-1252", errors="replace")


def _lines(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            yield record


def _array(text: str) -> Iterator[dict[str, Any]]:
    """The whole objects at the beginning of a JSON array, or one after another."""
    decoder = json.JSONDecoder()
    place = 0
    while (begin := text.find("{", place)) >= 0:
        try:
            record, place = decoder.raw_decode(text, begin)
        except ValueError:
            return
        yield record


def _flattened(format_: str, records: Iterable[dict[str, Any]]) -> Sample:
    given = list(records)
    containers = set(_wide_objects(given))
    found = []
    for record in given:
        flat: dict[str, str] = {}
        _flatten(record, "", 0, containers, flat)
        found.append(flat)
    paths = dict.fromkeys(path for record in found for path in record)
    return Sample(format_, ",", found, frozenset(containers), tuple(paths))


def _wide_objects(records: list[dict[str, Any]]) -> Iterator[str]:
    """Objects whose keys are data rather than columns: they have too many of them."""
    keys: dict[str, set[str]] = {}

    def visit(value: dict[str, Any], path: str) -> None:
        """Note the keys of each object below one."""
        for name, inner in value.items():
            if isinstance(inner, dict):
                below = f"{path}.{name}" if path else name
                keys.setdefault(below, set()).update(inner)
                visit(inner, below)

    for record in records:
        visit(record, "")
    yield from (path for path, names in keys.items() if len(names) > _MOST_KEYS)


def _flatten(
    value: dict[str, Any], path: str, depth: int, containers: set[str], into: dict[str, str]
) -> None:
    for name, inner in value.items():
        below = f"{path}.{name}" if path else name
        is_object = isinstance(inner, dict)
        if is_object and inner and depth < _DEPTH and below not in containers:
            _flatten(inner, below, depth + 1, containers, into)
        elif isinstance(inner, dict | list):
            containers.add(below)
            into[below] = json.dumps(inner, ensure_ascii=False, default=str)
        elif inner is not None:
            into[below] = _text(inner)


def _named(
    format_: str, delimiter: str, header: Sequence[str], records: Iterable[dict[str, Any]]
) -> Sample:
    found = [
        {name: _text(value) for name, value in record.items() if name and value not in (None, "")}
        for record in records
    ]
    return Sample(format_, delimiter, found, frozenset(), tuple(name for name in header if name))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)


def _nothing(what: str, told: str) -> JourneylineError:
    return JourneylineError(
        told,
        where=what,
        next_step="Give a file, SOURCE/ENTITY of something that has landed, or URL#TABLE.",
        exit_code=EXIT_USAGE,
    )
