"""JSON documents as records: each element of an array, or each object, on a line of its own.

The text of a record stays as it was delivered; only line breaks between its tokens become spaces.
What a record says is not judged here, but a document whose brackets never close is cut off.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator

from orchestration.ingest.contracts import Contract
from orchestration.ingest.guards import MAX_LINE_BYTES
from orchestration.ingest.landing import Delivery
from orchestration.ingest.unpacking import Refused, open_text

# No reader takes this character within JSON: a record that holds it is malformed.
_BROKEN_NEWLINE = "\x1e"
_NEITHER = "the file is neither a JSON array nor JSON objects"
_TOKEN = re.compile(r'\\.|["\[\]{},]', re.DOTALL)


def split_documents(delivery: Delivery, contract: Contract) -> Iterator[str]:
    """The records of a JSON file: an array of them, or objects one after another.

    Raises:
        Refused: The file is cut off, or is neither of the two.
    """
    splitter = _Splitter()
    for text in _texts(delivery, contract):
        yield from splitter.feed(text)
    splitter.finish()


class _Splitter:
    """Finds the ends of records while the text streams by."""

    def __init__(self) -> None:
        self._depth = 0
        self._is_string = False
        self._array: bool | None = None
        self._is_over = False
        self._carry = ""
        self._pieces: list[str] = []
        self._length = 0
        self._count = 0

    def feed(self, text: str) -> Iterator[str]:
        """Take the next piece of the text; gives the records that it completes."""
        text = self._carry + text
        # An escape is never torn in two.
        trailing = len(text) - len(text.rstrip("\\"))
        self._carry = "\\" if trailing % 2 else ""
        text = text[: len(text) - len(self._carry)]
        start = 0
        for match in _TOKEN.finditer(text):
            token = match.group()
            if self._is_string:
                self._is_string = token != '"'
                continue
            if token == '"':
                self._is_string = True
                continue
            place = match.start()
            if self._depth == 0:
                self._begin(token, text[start:place])
                start = place + 1 if self._array else place
                self._depth = 1
            elif token in "[{":
                self._depth += 1
            elif token in "]}":
                self._depth -= 1
                if self._depth == 0:
                    self._keep(text[start : place if self._array else place + 1])
                    start = place + 1
                    yield from self._record(is_last=True)
                    self._is_over = bool(self._array)
            elif token == "," and self._depth == 1 and self._array:
                self._keep(text[start:place])
                start = place + 1
                yield from self._record(is_last=False)
        self._keep(text[start:])

    def finish(self) -> None:
        """Refuse a text that ends within a record or goes on after its end."""
        if self._depth or self._is_string or self._carry:
            raise Refused("the JSON is cut off: its brackets never close")
        if "".join(self._pieces).strip():
            is_begun = self._array is not None
            raise Refused("the JSON goes on after its end" if is_begun else _NEITHER)

    def _begin(self, token: str, before: str) -> None:
        if self._is_over or "".join([*self._pieces, before]).strip() or token not in "[{":
            raise Refused(_NEITHER)
        self._pieces, self._length = [], 0
        if self._array is None:
            self._array = token == "["
        elif self._array != (token == "["):
            raise Refused("the file mixes JSON arrays and objects")

    def _keep(self, piece: str) -> None:
        if piece:
            self._pieces.append(piece)
            self._length += len(piece)
            if self._length > MAX_LINE_BYTES:
                raise Refused(f"a record is longer than {MAX_LINE_BYTES >> 20} MiB")

    def _record(self, *, is_last: bool) -> Iterator[str]:
        record = "".join(self._pieces).strip()
        self._pieces, self._length = [], 0
        if record:
            self._count += 1
            yield _one_line(record)
        elif not is_last or (self._array and self._count):
            raise Refused("an element of the JSON array is empty")


def _one_line(record: str) -> str:
    if "\n" not in record and "\r" not in record:
        return record
    try:
        json.loads(record)
        return record.replace("\r", " ").replace("\n", " ")
    except (ValueError, RecursionError):
        return record.replace("\r", _BROKEN_NEWLINE).replace("\n", _BROKEN_NEWLINE)


def _texts(delivery: Delivery, contract: Contract) -> Iterator[str]:
    decode = codecs.getincrementaldecoder("utf-8-sig")(errors="strict").decode
    for chunk in open_text(delivery, contract):
        yield decode(chunk)
    yield decode(b"", final=True)
