"""Deliveries without the rows of those who were erased.

Belongs here: reading a delivery row by row, and writing its replacement. Nothing in the landing is
edited: a replaced delivery has a new file and a manifest that keeps the original hash and adds
`stored_sha256`, `stored_bytes` and `erased_count`. All replacements of an erasure are built beside
the landing and put in place together; a dead one is finished by the next run.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from orchestration.ingest.acts import acts_path, renumbered_acts
from orchestration.ingest.contracts import Contract
from orchestration.ingest.json_records import split_documents
from orchestration.ingest.landing import Delivery, list_deliveries
from orchestration.ingest.records import nested_rows, split_rows
from orchestration.ingest.unpacking import Refused, open_text
from orchestration.ingest.workbooks import sheet_name, workbook_records
from orchestration.privacy.workbook_writing import write_workbook
from orchestration.publish import files
from orchestration.settings import Settings

FOLDER = ".erasing"
_READY = "ready"
_ACTS = "acts.ndjson"
IsErased = Callable[[Mapping[str, Any], str], bool]


@dataclass(frozen=True)
class Row:
    """One record of a delivery.

    Args:
        number: Its number, from 1.
        text: As it was delivered.
        fields: Values by column of the contract; none where it cannot be read.
    """

    number: int
    text: str
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class Screened:
    """A delivery of which rows go.

    Args:
        delivery: The delivery.
        erased: Numbers of the rows that go; None where the file cannot be read and goes whole.
    """

    delivery: Delivery
    erased: tuple[int, ...] | None


def rows_of(delivery: Delivery, contract: Contract | None) -> Iterator[Row]:
    """Every record of a delivery, in the numbering of the loader.

    Raises:
        Refused: The file cannot be read.
    """
    number = 0
    for text, fields in _records(delivery, contract):
        if text:
            number += 1
            yield Row(number, text, fields)


def screen(delivery: Delivery, contract: Contract | None, is_erased: IsErased) -> Screened | None:
    """The rows of a delivery that go; None where all stay."""
    try:
        erased = tuple(
            row.number for row in rows_of(delivery, contract) if is_erased(row.fields, row.text)
        )
    except (Refused, OSError):
        return Screened(delivery, None)
    return Screened(delivery, erased) if erased else None


def replace_deliveries(
    settings: Settings,
    contracts: Mapping[tuple[str, str], Contract],
    screened: Sequence[Screened],
    *,
    is_aged: bool = False,
    acts: bytes = b"",
) -> None:
    """Put every replacement in place, all of them or none.

    Args:
        settings: The home folder; its writer lock is held.
        contracts: Contracts by source and entity.
        screened: The deliveries concerned, with the rows that go.
        is_aged: Whether they go because of their age.
        acts: Lines that are added to the acts together with it.
    """
    place = settings.home / FOLDER
    shutil.rmtree(place, ignore_errors=True)
    for item in screened:
        delivery = item.delivery
        folder = place / "landing" / delivery.source / delivery.entity / delivery.delivery_id
        folder.mkdir(parents=True)
        contract = contracts.get((delivery.source, delivery.entity))
        _write_replacement(item, contract, folder, is_aged=is_aged)
    gone = {
        (item.delivery.source, item.delivery.entity, item.delivery.delivery_id): item.erased
        for item in screened
    }
    if acts or acts_path(settings).exists():
        (place / _ACTS).write_bytes(renumbered_acts(settings, gone, with_reasons=is_aged) + acts)
    files.sync_tree(place)
    (place / _READY).touch()
    files.sync(place)
    finish_replacement(settings)


def finish_replacement(settings: Settings) -> None:
    """Put in place what a dead erasure had ready; clear what it had not."""
    place = settings.home / FOLDER
    if not place.is_dir():
        return
    if (place / _READY).exists():
        for manifest in (place / "landing").glob("*/*/*/manifest.json"):
            folder = manifest.parent
            target = settings.landing / folder.relative_to(place / "landing")
            for name in os.listdir(target):
                if name != "manifest.json" and not (folder / name).exists():
                    (target / name).unlink()
            for name in sorted(os.listdir(folder), reverse=True):
                shutil.copyfile(folder / name, target / f".{name}.new")
                files.sync(target / f".{name}.new")
                os.replace(target / f".{name}.new", target / name)
            files.sync(target)
        if (place / _ACTS).exists():
            shutil.copyfile(place / _ACTS, settings.landing / ".acts.new")
            files.sync(settings.landing / ".acts.new")
            os.replace(settings.landing / ".acts.new", settings.landing / _ACTS)
            files.sync(settings.landing)
        (place / _READY).unlink()
    shutil.rmtree(place)


def deliveries(settings: Settings) -> list[Delivery]:
    """Every delivery in the landing whose manifest can be believed."""
    return [delivery for delivery in list_deliveries(settings) if delivery.problem is None]


def _records(
    delivery: Delivery, contract: Contract | None
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if contract is None or contract.format == "ndjson":
        trailer = contract.trailer if contract else None
        lines = _without_trailer(_lines(delivery, contract), trailer)
        if contract is not None and contract.rows_in is not None:
            lines = nested_rows((line for line in lines if line), contract.rows_in)
        for line in lines:
            yield line, _json_fields(line, contract)
    elif contract.format == "json":
        for text in split_documents(delivery, contract):
            yield text, _json_fields(text, contract)
    elif contract.format == "csv":
        lines = _without_trailer(_lines(delivery, contract), contract.trailer)
        header = list(contract.header)
        if not header:
            header = next(csv.reader([next(lines, "")], delimiter=contract.delimiter), [])
        for values, text in split_rows(lines, len(header), contract):
            found = dict(zip(header, values or (), strict=False))
            yield text, {c.name: found.get(c.path) for c in contract.columns}
    elif contract.format == "parquet":
        for entry in _parquet(delivery).to_pylist():
            yield (
                json.dumps(entry, default=str),
                {c.name: entry.get(c.path) for c in contract.columns},
            )
    else:
        for text in workbook_records(delivery, contract)[1]:
            record = json.loads(text)
            known = record if isinstance(record, dict) else {}
            yield text, {c.name: known.get(c.path) for c in contract.columns}


def _json_fields(text: str, contract: Contract | None) -> dict[str, Any]:
    if contract is None or not contract.columns:
        return {}
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(record, dict):
        return {}
    return {column.name: _at(record, column.path) for column in contract.columns}


@lru_cache(4096)
def _parts(path: str) -> tuple[str, ...]:
    return tuple(re.split(r"[.\[\]]+", path.strip("]")))


def _at(record: Any, path: str) -> Any:
    for part in _parts(path):
        if isinstance(record, dict):
            record = record.get(part)
        elif isinstance(record, list) and part.isdigit() and int(part) < len(record):
            record = record[int(part)]
        else:
            return None
    return record


def _lines(delivery: Delivery, contract: Contract | None) -> Iterator[str]:
    rest = b""
    is_first = True
    for chunk in open_text(delivery, contract) if contract else _plain(delivery):
        *whole, rest = (rest + chunk).split(b"\n")
        for raw in whole:
            yield _decoded(raw, is_first)
            is_first = False
    if rest:
        yield _decoded(rest, is_first)


def _plain(delivery: Delivery) -> Iterator[bytes]:
    from orchestration.ingest.unpacking import open_chunks

    return open_chunks(delivery)


def _decoded(raw: bytes, is_first: bool) -> str:
    encoding = "utf-8-sig" if is_first else "utf-8"
    return raw.decode(encoding, errors="replace").removesuffix("\r")


def _without_trailer(lines: Iterator[str], trailer: str | None) -> Iterator[str]:
    held: str | None = None
    for line in lines:
        if trailer is not None and not line:
            continue
        if held is not None:
            yield held
        held = line
    if held is not None and (trailer is None or not re.fullmatch(trailer, held)):
        yield held


def _parquet(delivery: Delivery) -> Any:
    import pyarrow
    from pyarrow import parquet

    try:
        return parquet.read_table(delivery.file)
    except pyarrow.ArrowException as error:
        raise Refused(f"the Parquet data is broken: {error}") from error


def _write_replacement(
    item: Screened, contract: Contract | None, folder: Path, *, is_aged: bool
) -> None:
    delivery = item.delivery
    if item.erased is None:
        content, count = b"", 0
    elif contract is not None and contract.format == "parquet":
        content, count = _without_parquet_rows(delivery, set(item.erased)), len(item.erased)
    elif contract is not None and contract.format == "xlsx":
        content, count = _without_cells(delivery, contract, set(item.erased)), len(item.erased)
    else:
        text = _without_rows(delivery, contract, set(item.erased))
        content, count = _packed(text, delivery.file_name, contract), len(item.erased)
    (folder / delivery.file_name).write_bytes(content)
    manifest = json.loads((delivery.folder / "manifest.json").read_text(encoding="utf-8"))
    entry = manifest["files"][0]
    entry["stored_sha256"] = hashlib.sha256(content).hexdigest()
    entry["stored_bytes"] = len(content)
    entry["erased_count"] = int(entry.get("erased_count", 0)) + count
    if is_aged:
        entry["aged_count"] = int(entry.get("aged_count", 0)) + count
    text = json.dumps(manifest, indent=2) + "\n"
    (folder / "manifest.json").write_text(text, encoding="utf-8")


def _without_rows(delivery: Delivery, contract: Contract | None, erased: set[int]) -> str:
    # Nobody asks for the fields of what stays.
    unread = None if contract is None else replace(contract, columns=())
    if contract is not None and contract.format == "csv":
        unread = contract
    kept = [row.text for row in rows_of(delivery, unread) if row.number not in erased]
    if contract is not None and contract.format == "json":
        return "[" + ",\n".join(kept) + "]\n"
    lines = list(kept)
    if contract is not None and contract.format == "csv" and not contract.header:
        lines.insert(0, next(_lines(delivery, contract)))
    if contract is not None and contract.trailer is not None:
        last = [line for line in _lines(delivery, contract) if line][-1]
        found = re.fullmatch(contract.trailer, last)
        if found is not None:
            lines.append(last[: found.start(1)] + str(len(kept)) + last[found.end(1) :])
    return "".join(line + "\n" for line in lines)


def _packed(text: str, name: str, contract: Contract | None) -> bytes:
    content = text.encode(contract.encoding if contract else "utf-8")
    if name.endswith(".gz"):
        return gzip.compress(content, 6, mtime=0)
    if name.endswith(".zst"):
        from backports import zstd

        packed: bytes = zstd.compress(content)
        return packed
    return content


def _without_parquet_rows(delivery: Delivery, erased: set[int]) -> bytes:
    from pyarrow import parquet

    table = _parquet(delivery)
    kept = [number for number in range(table.num_rows) if number + 1 not in erased]
    buffer = io.BytesIO()
    parquet.write_table(table.take(kept), buffer)
    return buffer.getvalue()


def _without_cells(delivery: Delivery, contract: Contract, erased: set[int]) -> bytes:
    header, records = workbook_records(delivery, contract)
    kept = (text for number, text in enumerate(records, start=1) if number not in erased)
    return write_workbook(sheet_name(delivery, contract), header, kept)
