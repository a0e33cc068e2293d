"""Guards: what is proved about a delivered file's bytes before any reader sees them.

They stream in chunks and hold no file in memory. What a single row says is the loader's business.
"""

from __future__ import annotations

import codecs
import zipfile
from dataclasses import dataclass

import numpy as np

from orchestration.ingest.contracts import Contract
from orchestration.ingest.landing import Delivery
from orchestration.ingest.unpacking import Refused, bound_size, open_chunks, open_text

__all__ = ["MAX_LINE_BYTES", "Guarded", "Refused", "guard_delivery"]

MAX_LINE_BYTES = 8 << 20
_BOM = codecs.BOM_UTF8
_NEWLINE = ord("\n")
_CONTROLS = (b"\x1d", b"\x1e", b"\x1f", b"\x01")


@dataclass(frozen=True)
class Guarded:
    """What the guards learned of a file that they let through.

    Args:
        line_count: Lines of the decompressed file; rows of a Parquet file; 0 of a workbook.
        is_plain: Whether a reader can take the file as it is: UTF-8, no byte order mark, no
            carriage return, no empty line.
        has_quotes: Whether a double quote is in it; looked for in CSV.
        has_controls: Whether a character is in it that rewritten records use between fields;
            looked for in CSV.
        longest_line: Bytes of its longest line; 0 where it has none.
    """

    line_count: int
    is_plain: bool
    has_quotes: bool = False
    has_controls: bool = False
    longest_line: int = 0

    @property
    def is_simple_csv(self) -> bool:
        """Whether every line of a CSV file is a record whose fields stand between delimiters."""
        return self.is_plain and not self.has_quotes and not self.has_controls


def guard_delivery(delivery: Delivery, contract: Contract, *, is_thorough: bool = False) -> Guarded:
    """Prove a delivered file's bytes.

    Args:
        delivery: The file.
        contract: Of its table.
        is_thorough: Whether a Parquet file is also read as the loader reads it, for nothing else
            than to see whether it can be.

    Raises:
        Refused: The file is not what the manifest and the contract promise.
    """
    if delivery.problem is not None:
        raise Refused(delivery.problem)
    if f".{contract.format}" not in delivery.file.suffixes:
        raise Refused(f"the file is not {contract.format}, which the contract expects")
    try:
        if contract.format == "parquet":
            return _guard_parquet(delivery, is_thorough)
        if contract.format == "xlsx":
            return _guard_workbook(delivery)
        return _scan(delivery, contract)
    except OSError as error:
        raise Refused(f"the file cannot be read: {error.strerror or error}") from error


def _guard_parquet(delivery: Delivery, is_thorough: bool) -> Guarded:
    """Read every page once, with its checksum where there is one, before the loader does."""
    import pyarrow
    from pyarrow import parquet

    _read_through(delivery)
    try:
        with parquet.ParquetFile(delivery.file, page_checksum_verification=True) as file:
            metadata = file.metadata
            unpacked = sum(
                metadata.row_group(n).total_byte_size for n in range(metadata.num_row_groups)
            )
            bound_size(unpacked, delivery.byte_count)
            count, filled = 0, [0] * len(file.schema_arrow.names)
            for batch in file.iter_batches():
                batch.validate(full=True)
                count += batch.num_rows
                for place, column in enumerate(batch.columns):
                    filled[place] += batch.num_rows - column.null_count
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise Refused(f"the Parquet data is broken: {_first_line(error)}") from error
    if count != metadata.num_rows:
        raise Refused(f"the Parquet footer counts {metadata.num_rows} rows, the pages hold {count}")
    if is_thorough and _filled_as_loaded(delivery) != filled:
        raise Refused("the Parquet data is broken: two readers find different values in it")
    return Guarded(count, is_plain=True)


def _filled_as_loaded(delivery: Delivery) -> list[int]:
    """Values of each column that are not null, as the loader's own reader finds them.

    A file that only one of the two readers takes would stop the whole load.
    """
    import duckdb

    options: dict[str, str | bool | int | float | list[str]] = {
        "threads": 1,
        "autoinstall_known_extensions": False,
    }
    try:
        with duckdb.connect(config=options) as connection:
            found = connection.execute(
                "select count(columns(*)) from read_parquet(?)", [str(delivery.file)]
            ).fetchone()
    except duckdb.Error as error:
        raise Refused(f"the Parquet data is broken: {_first_line(error)}") from error
    return list(found or ())


def _guard_workbook(delivery: Delivery) -> Guarded:
    """A workbook is a zip archive: its members have checksums, and sizes that may lie."""
    _read_through(delivery)
    try:
        with zipfile.ZipFile(delivery.file) as archive:
            given = 0
            for member in archive.infolist():
                with archive.open(member) as stream:
                    while chunk := stream.read(1 << 20):
                        given += len(chunk)
                        bound_size(given, delivery.byte_count)
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError) as error:
        raise Refused(f"the workbook is broken: {_first_line(error)}") from error
    except Exception as error:
        if type(error).__module__ == "zlib":
            raise Refused(f"the workbook is broken: {_first_line(error)}") from error
        raise
    return Guarded(0, is_plain=False)


def _read_through(delivery: Delivery) -> None:
    for _ in open_chunks(delivery):
        pass


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _scan(delivery: Delivery, contract: Contract) -> Guarded:
    decoder = codecs.getincrementaldecoder("utf-8")(errors="strict")
    lines, total, run, longest = 0, 0, 0, 0
    is_plain = contract.encoding == "utf-8"
    has_quotes = has_controls = False
    for chunk in filter(None, open_text(delivery, contract)):
        if total == 0 and chunk.startswith(_BOM):
            is_plain = False
        if b"\0" in chunk:
            raise Refused("the text holds NUL characters; it may be binary or UTF-16")
        try:
            # What is ASCII needs no decoding, unless a character was begun in the chunk before.
            if not chunk.isascii() or decoder.getstate()[0]:
                decoder.decode(chunk)
        except UnicodeDecodeError as error:
            raise Refused(f"the text is not {contract.encoding.upper()}: {error.reason}") from error
        if contract.format == "csv":
            has_quotes = has_quotes or b'"' in chunk
            has_controls = has_controls or any(character in chunk for character in _CONTROLS)
        # numpy, since bytes' own search for an empty line is slow and stops other threads
        ends = np.flatnonzero(np.frombuffer(chunk, dtype=np.uint8) == _NEWLINE)
        lengths = np.diff(ends, prepend=-1 - run) - 1
        is_plain = is_plain and b"\r" not in chunk and bool(np.all(lengths))
        run = len(chunk) - 1 - int(ends[-1]) if len(ends) else run + len(chunk)
        longest = max(longest, run, int(lengths.max(initial=0)))
        if contract.format != "json" and longest > MAX_LINE_BYTES:
            raise Refused(f"a line is longer than {MAX_LINE_BYTES >> 20} MiB")
        lines += len(ends)
        total += len(chunk)
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise Refused("the text ends within a character: it is cut off") from error
    if run:
        if contract.expects_final_newline and contract.format != "json":
            raise Refused("the last line has no end: the file is cut off")
        lines += 1
    return Guarded(lines, is_plain, has_quotes, has_controls, longest)
