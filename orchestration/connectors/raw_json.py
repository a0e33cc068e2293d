"""Records cut out of an answer's text as they stand there, so that landing holds what was said.

Parsing and writing again would change numbers and spellings; a slice changes nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")
_BREAKS = str.maketrans("\r\n", "  ")


def slice_records(text: str, *path: str) -> list[str]:
    """The elements of the array at `path`, each on one line, otherwise character by character.

    A line break in JSON can only be white space between tokens, so it becomes a space.

    Args:
        text: A JSON document.
        path: Keys that lead to the array; none where the document is the array.

    Returns:
        The elements' text; nothing where the path or the array is missing or null.

    Raises:
        ValueError: The text is no JSON, or something else than an array stands there.
    """
    at = _after_space(text, 0)
    for key in path:
        found = next((place for name, place in _members(text, at) if name == key), None)
        if found is None:
            return []
        at = found
    if text.startswith("null", at):
        return []
    return [text[start:end].translate(_BREAKS) for start, end in _elements(text, at)]


def with_member(record: str, name: str, value: Any) -> str:
    """An object's text with one more member at its end."""
    body = record.rstrip()
    if not body.endswith("}"):
        raise ValueError("the record is no JSON object")
    inner = body[:-1].rstrip()
    comma = "" if inner.endswith("{") else ","
    return f"{inner}{comma}{json.dumps(name)}:{json.dumps(value, ensure_ascii=False)}}}"


def value_at(record: Any, path: str) -> Any:
    """The value at a dotted path with `[n]` for elements; None where there is none."""
    for part in re.findall(r"[^.\[\]]+|\[\d+\]", path):
        if part.startswith("["):
            index = int(part[1:-1])
            record = record[index] if isinstance(record, list) and index < len(record) else None
        else:
            record = record.get(part) if isinstance(record, dict) else None
    return record


def _members(text: str, at: int) -> Iterator[tuple[str, int]]:
    """Name and place of the value of each member of the object at `at`."""
    if text[at : at + 1] != "{":
        raise ValueError("an object was expected in the answer")
    at = _after_space(text, at + 1)
    while text[at : at + 1] != "}":
        name, at = _DECODER.raw_decode(text, at)
        at = _after_space(text, at)
        if text[at : at + 1] != ":":
            raise ValueError("the answer is no JSON")
        at = _after_space(text, at + 1)
        yield name, at
        at = _after_comma(text, _DECODER.raw_decode(text, at)[1], "}")


def _elements(text: str, at: int) -> Iterator[tuple[int, int]]:
    """Start and end of each element of the array at `at`."""
    if text[at : at + 1] != "[":
        raise ValueError("a list was expected in the answer")
    at = _after_space(text, at + 1)
    while text[at : at + 1] != "]":
        end = _DECODER.raw_decode(text, at)[1]
        yield at, end
        at = _after_comma(text, end, "]")


def _after_comma(text: str, at: int, close: str) -> int:
    at = _after_space(text, at)
    if text[at : at + 1] == ",":
        return _after_space(text, at + 1)
    if text[at : at + 1] != close:
        raise ValueError("the answer is no JSON")
    return at


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at
