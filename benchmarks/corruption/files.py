"""The files that are damaged: answers of a survey, in every format that the loader takes."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from backports import zstd

from benchmarks.corruption.workbook import as_workbook

COLUMNS = ("pulse_id", "department", "question_id", "score", "responded_at")
# The department holds what a CSV file has to quote, and letters of two bytes.
_DEPARTMENTS = ("support", "Verkauf, Süd", 'the "old" team', "produit")
_FIRST = datetime(2025, 2, 1, 10, tzinfo=UTC)

Row = tuple[str, str, str, int, datetime]


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Args:
        name: What the figures call it.
        reads: The contract's `format`.
        suffix: End of the file's name.
        write: Makes the file's bytes of rows.
    """

    name: str
    reads: str
    suffix: str
    write: Callable[[list[Row]], bytes]


def rows_of(number: int, count: int) -> list[Row]:
    """Rows that no other number has: their ids differ in more than a bit."""
    return [
        (
            hashlib.sha256(f"{number}-{place}".encode()).hexdigest()[:16],
            _DEPARTMENTS[place % len(_DEPARTMENTS)],
            f"question {place % 7}",
            (number + place) % 11,
            _FIRST + timedelta(minutes=number, seconds=place),
        )
        for place in range(count)
    ]


def _csv(rows: list[Row]) -> bytes:
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([*row[:-1], row[-1].isoformat()] for row in rows)
    return sink.getvalue().encode()


def _records(rows: list[Row]) -> list[dict[str, object]]:
    return [dict(zip(COLUMNS, [*row[:-1], row[-1].isoformat()], strict=True)) for row in rows]


def _ndjson(rows: list[Row]) -> bytes:
    return "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in _records(rows)).encode()


def _json(rows: list[Row]) -> bytes:
    return json.dumps(_records(rows), ensure_ascii=False).encode()


def _workbook(rows: list[Row]) -> bytes:
    values = [list(COLUMNS), *[[*row[:-1], row[-1].isoformat()] for row in rows]]
    return as_workbook(values)  # type: ignore[arg-type]


def _parquet(rows: list[Row], has_checksums: bool) -> bytes:
    import pyarrow
    from pyarrow import parquet

    columns = zip(*rows, strict=True)
    sink = io.BytesIO()
    table = pyarrow.table({n: list(c) for n, c in zip(COLUMNS, columns, strict=True)})
    parquet.write_table(table, sink, write_page_checksum=has_checksums)
    return sink.getvalue()


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def _zstd(data: bytes, has_checksum: int = 1) -> bytes:
    return zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: has_checksum})


FORMATS = {
    found.name: found
    for found in (
        Format("CSV", "csv", ".csv", _csv),
        Format("CSV, gzip", "csv", ".csv.gz", lambda rows: _gzip(_csv(rows))),
        Format("CSV, zstd", "csv", ".csv.zst", lambda rows: _zstd(_csv(rows))),
        Format("NDJSON", "ndjson", ".ndjson", _ndjson),
        Format("NDJSON, gzip", "ndjson", ".ndjson.gz", lambda rows: _gzip(_ndjson(rows))),
        Format("NDJSON, zstd", "ndjson", ".ndjson.zst", lambda rows: _zstd(_ndjson(rows))),
        Format(
            "NDJSON, zstd without a checksum",
            "ndjson",
            ".ndjson.zst",
            lambda rows: _zstd(_ndjson(rows), 0),
        ),
        Format("JSON", "json", ".json", _json),
        Format("JSON, gzip", "json", ".json.gz", lambda rows: _gzip(_json(rows))),
        Format("JSON, zstd", "json", ".json.zst", lambda rows: _zstd(_json(rows))),
        Format("Parquet", "parquet", ".parquet", lambda rows: _parquet(rows, False)),
        Format(
            "Parquet with page checksums",
            "parquet",
            ".parquet",
            lambda rows: _parquet(rows, True),
        ),
        Format("Excel", "xlsx", ".xlsx", _workbook),
    )
}
