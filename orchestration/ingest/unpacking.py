"""Unpacking: the decompressed bytes of a delivered file, in bounded chunks, and as UTF-8.

A file cut off within its compression, or one that would unpack beyond all measure, never gets
past here.
"""

from __future__ import annotations

import codecs
import hashlib
import zlib
from collections.abc import Iterator

from backports import zstd

from orchestration.ingest.contracts import Contract
from orchestration.ingest.landing import Delivery

CHUNK_BYTES = 1 << 20
MAX_RATIO = 1000
RATIO_APPLIES_FROM_BYTES = 64 << 20
MAX_BYTES = 200 << 30


class Refused(Exception):
    """The delivery is refused; the message is the reason."""


def open_chunks(delivery: Delivery) -> Iterator[bytes]:
    """The decompressed bytes of a delivered file, in chunks.

    Raises:
        Refused: The hash, the size or the compression is wrong; raised at the end of the file
            at the latest.
    """
    digest = hashlib.sha256()
    unpack = _unpacker(delivery.file_name)
    size = 0
    with delivery.file.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
            if unpack is None:
                yield chunk
            else:
                yield from unpack.feed(chunk)
    stored = (delivery.stored_bytes, delivery.stored_sha256)
    landed = (delivery.byte_count, delivery.sha256)
    if (size, digest.hexdigest()) != (landed if delivery.stored_sha256 is None else stored):
        raise Refused("the file's bytes are not those that were landed (size or sha256 differs)")
    if delivery.expected_sha256 not in (None, delivery.sha256):
        raise Refused("the file's sha256 is not the one that its deliverer sent beside it")
    if unpack is not None:
        unpack.finish()


def open_text(delivery: Delivery, contract: Contract) -> Iterator[bytes]:
    """The chunks in UTF-8, whatever encoding the contract declares.

    Raises:
        Refused: As in `open_chunks`, or the text is not in the declared encoding.
    """
    if contract.encoding == "utf-8":
        yield from open_chunks(delivery)
        return
    decode = codecs.getincrementaldecoder(contract.encoding)(errors="strict").decode
    try:
        for chunk in open_chunks(delivery):
            yield decode(chunk).encode()
        yield decode(b"", final=True).encode()
    except UnicodeError as error:
        raise Refused(f"the text is not {contract.encoding}, as its contract says") from error


def bound_size(given: int, taken: int) -> None:
    """Refuse what unpacks beyond the bounds.

    Args:
        given: Bytes that came out so far.
        taken: Bytes that they came from.

    Raises:
        Refused: It is too much, or too much for what it came from.
    """
    if given > MAX_BYTES:
        raise Refused(f"the file unpacks to more than {MAX_BYTES >> 30} GiB")
    if given > RATIO_APPLIES_FROM_BYTES and given > MAX_RATIO * taken:
        raise Refused(f"the file unpacks to more than {MAX_RATIO} times its size")


class _Gunzip:
    """Streaming gunzip of one or many members."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(31)
        self._taken = 0
        self._given = 0
        self._is_started = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take the next piece; gives what it unpacks to, in pieces of bounded size."""
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
            bound_size(self._given, self._taken)
            if out:
                yield out
            is_pending = len(out) == CHUNK_BYTES and not self._stream.eof
            data = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail

    def finish(self) -> None:
        """Refuse what is cut off before its end."""
        if not self._is_started or not self._stream.eof:
            raise Refused("the gzip data is cut off before its end")


class _Unzstd:
    """Streaming decompression of one or many zstd frames."""

    def __init__(self) -> None:
        self._stream = zstd.ZstdDecompressor()
        self._taken = 0
        self._given = 0
        self._is_started = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take the next piece; gives what it unpacks to, in pieces of bounded size."""
        self._taken += len(data)
        is_pending = bool(data)
        while is_pending:
            if self._stream.eof:
                self._stream = zstd.ZstdDecompressor()
            try:
                out = self._stream.decompress(data, CHUNK_BYTES)
            except zstd.ZstdError as error:
                raise Refused(f"the zstd data is broken: {error}") from error
            self._is_started = True
            self._given += len(out)
            bound_size(self._given, self._taken)
            if out:
                yield out
            data = self._stream.unused_data if self._stream.eof else b""
            is_pending = bool(data) or not (self._stream.eof or self._stream.needs_input)

    def finish(self) -> None:
        """Refuse what is cut off before its end."""
        if not self._is_started or not self._stream.eof:
            raise Refused("the zstd data is cut off before its end")


def _unpacker(name: str) -> _Gunzip | _Unzstd | None:
    if name.endswith(".gz"):
        return _Gunzip()
    return _Unzstd() if name.endswith(".zst") else None
