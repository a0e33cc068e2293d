"""Guards: what is proved about a delivered file's bytes before any reader sees them.

They stream in chunks and hold no file in memory. What a single row says is the loader's business.
"""

from __future__ import annotations

import codecs
import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from orchestration.ingest.contracts import Contract
from orchestration.ingest.landing import Delivery

CHUNK_BYTES = 1 << 20
MAX_LINE_BYTES = 8 << 20
MAX_RATIO = 1000
RATIO_APPLIES_FROM_BYTES = 64 << 20
MAX_BYTES = 200 << 30
_BOM = codecs.BOM_UTF8


class Refused(Exception):
    """The delivery is refused; the message is the reason."""


@dataclass(frozen=True)
class Guarded:
    """What the guards learned of a file that they let through.

    Args:
        line_count: Lines of the decompressed file.
        is_plain: Whether a reader can take the file as it is: no byte order mark, no carriage
            return, no empty line.
    """

    line_count: int
    is_plain: bool


def guard_delivery(delivery: Delivery, contract: Contract) -> Guarded:
    """Prove a delivered file's bytes.

    Raises:
        Refused: The file is not what the manifest and the contract promise.
    """
    if delivery.problem is not None:
        raise Refused(delivery.problem)
    if f".{contract.format}" not in delivery.file.suffixes:
        raise Refused(f"the file is not {contract.format}, which the contract expects")
    try:
        return _scan(delivery, contract)
    except OSError as error:
        raise Refused(f"the file cannot be read: {error.strerror}") from error


def open_chunks(delivery: Delivery) -> Iterator[bytes]:
    """The decompressed bytes of a delivered file, in chunks.

    Raises:
        Refused: The hash, the size or the compression is wrong; raised at the end of the file
            at the latest.
    """
    digest = hashlib.sha256()
    unzip = _Unzip() if delivery.file_name.endswith(".gz") else None
    size = 0
    with delivery.file.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
            if unzip is None:
                yield chunk
            else:
                yield from unzip.feed(chunk)
    if size != delivery.byte_count or digest.hexdigest() != delivery.sha256:
        raise Refused("the file's bytes are not those that were landed (size or sha256 differs)")
    if unzip is not None:
        unzip.finish()


class _Unzip:
    """Streaming gunzip of one or many members with a bound on what comes out."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(31)
        self._taken = 0
        self._given = 0
        self._is_started = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._taken += len(data)
        is_pending = False
        while data or is_pending:
            if self._stream.eof:
                self._stream = zlib.decompressobj(31)
            try:
                out = self._stream.decompress(data, CHUNK_BYTES)
            except zlib.error as error:
                raise Refused(f"the gzip data is broken: {error}") from error
            self._is_started = True
            self._given += len(out)
            self._check_size()
            if out:
                yield out
            is_pending = len(out) == CHUNK_BYTES and not self._stream.eof
            data = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail

    def finish(self) -> None:
        if not self._is_started or not self._stream.eof:
            raise Refused("the gzip data is cut off before its end")

    def _check_size(self) -> None:
        if self._given > MAX_BYTES:
            raise Refused(f"the file unpacks to more than {MAX_BYTES >> 30} GiB")
        if self._given > RATIO_APPLIES_FROM_BYTES and self._given > MAX_RATIO * self._taken:
            raise Refused(f"the file unpacks to more than {MAX_RATIO} times its size")


def _scan(delivery: Delivery, contract: Contract) -> Guarded:
    decode = codecs.getincrementaldecoder("utf-8")(errors="strict").decode
    lines, total, run, last = 0, 0, 0, b""
    is_plain = True
    for chunk in open_chunks(delivery):
        if total == 0 and chunk.startswith((_BOM, b"\n")):
            is_plain = False
        if b"\0" in chunk:
            raise Refused("the text holds NUL characters; it may be binary or UTF-16")
        try:
            decode(chunk)
        except UnicodeDecodeError as error:
            raise Refused(f"the text is not UTF-8: {error.reason}") from error
        if is_plain and (b"\r" in chunk or b"\n\n" in chunk or (last + chunk[:1]) == b"\n\n"):
            is_plain = False
        run = _longest_open_line(chunk, run)
        lines += chunk.count(b"\n")
        total += len(chunk)
        last = chunk[-1:]
    try:
        decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise Refused("the text ends within a character: it is cut off") from error
    if total and last != b"\n":
        if contract.expects_final_newline:
            raise Refused("the last line has no end: the file is cut off")
        lines += 1
    return Guarded(lines, is_plain)


def _longest_open_line(chunk: bytes, run: int) -> int:
    """Length of the line that is open at the chunk's end; refuses a line beyond the bound."""
    first = chunk.find(b"\n")
    if (run + len(chunk) if first < 0 else run + first) > MAX_LINE_BYTES:
        raise Refused(f"a line is longer than {MAX_LINE_BYTES >> 20} MiB")
    return run + len(chunk) if first < 0 else len(chunk) - 1 - chunk.rfind(b"\n")
