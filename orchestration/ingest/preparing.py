"""Preparing: a delivery as the loader's reader takes it, or why it is refused.

Guards come first; a file that is plain enough is read where it lies, any other is rewritten.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestration.ingest.columnar import parquet_header
from orchestration.ingest.contracts import Contract
from orchestration.ingest.guards import guard_delivery
from orchestration.ingest.landing import Delivery
from orchestration.ingest.reading import DEPTH_CHECKED_FROM_BYTES
from orchestration.ingest.records import plain_header, rewrite
from orchestration.ingest.unpacking import Refused


@dataclass(frozen=True)
class ReadyFile:
    """A delivery whose bytes passed the guards, as the reader takes it.

    Args:
        delivery: The delivery.
        path: The file to read; one record a line.
        record_count: Records in it.
        header: Columns of a CSV; empty for NDJSON.
        may_be_deep: Whether a record of it is long enough to be looked at for its depth.
    """

    delivery: Delivery
    path: Path
    record_count: int
    header: tuple[str, ...] = ()
    may_be_deep: bool = True


def prepare_delivery(
    delivery: Delivery, contract: Contract, work: Path, number: int, *, is_thorough: bool = False
) -> ReadyFile | str:
    """A delivery as the reader takes it, or why it is refused.

    Args:
        delivery: The delivery.
        contract: Its table's contract.
        work: Folder for a rewritten file.
        number: Tells the rewritten files of the folder apart.
        is_thorough: Whether it is proved to be a file that the loader's reader takes.
    """
    target = work / f"{contract.source}-{contract.entity}-{number}"
    try:
        guarded = guard_delivery(delivery, contract, is_thorough=is_thorough)
        if contract.format == "parquet":
            header = parquet_header(delivery.file)
            file = ReadyFile(delivery, delivery.file, guarded.line_count, header)
        elif _is_read_as_delivered(contract) and contract.is_json and guarded.is_plain:
            may_be_deep = guarded.longest_line >= DEPTH_CHECKED_FROM_BYTES
            file = ReadyFile(delivery, delivery.file, guarded.line_count, (), may_be_deep)
        elif _is_read_as_delivered(contract) and guarded.is_simple_csv:
            header = plain_header(delivery, contract)
            file = ReadyFile(delivery, delivery.file, guarded.line_count - 1, header)
        else:
            written = rewrite(delivery, contract, target)
            file = ReadyFile(delivery, target, written.record_count, written.header)
        count = file.record_count + delivery.erased_count
        if delivery.row_count is not None and delivery.row_count != count:
            raise Refused(f"the manifest counts {delivery.row_count} rows, the file has {count}")
        return file
    except Refused as refusal:
        return str(refusal)


def _is_read_as_delivered(contract: Contract) -> bool:
    """Whether the contract lets a reader take a plain file as it is."""
    if contract.trailer is not None:
        return False
    if contract.format == "csv":
        return not contract.header and contract.has_quotes
    return contract.format == "ndjson" and contract.rows_in is None
