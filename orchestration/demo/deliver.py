"""Writes output rows as deliveries into the landing folder, byte by byte the same each time."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path

import duckdb

from orchestration.settings import Settings

HEADERS = {
    ("hubspot", "companies"): "company_id,name,domain,industry,country,employee_count,city,"
    "created_at,updated_at,is_archived,merged_company_ids",
    ("hubspot", "owners"): "owner_id,email,first_name,last_name,team,department,created_at,"
    "updated_at,is_archived",
    ("surveys", "respondents"): "respondent_id,email,name,phone,country,language,created_at,"
    "updated_at",
    ("surveys", "responses"): "response_id,respondent_id,survey,question_id,score,comment,trigger,"
    "ticket_id,channel,responded_at",
    ("surveys", "pulses"): "pulse_id,department,question_id,score,responded_at",
    ("cms", "contents"): "content_id,content_type,title,path,topic,stage,author,published_at,"
    "updated_at",
}
_BATCH = 50_000


def deliver_rows(
    world: duckdb.DuckDBPyConnection,
    settings: Settings,
    table: str,
    *,
    nights: tuple[date, date],
    unordered: float,
    before_ms: int | None = None,
    by_month: bool = False,
) -> int:
    """Land the rows of `table` whose night is in `nights`, one delivery per entity and night.

    Args:
        world: The open world.
        settings: The home to land in.
        table: out_row or out_app.
        nights: First and last night; rows of earlier nights come with the first one.
        unordered: Share of the rows that leave their place.
        before_ms: Only rows of events before this time.
        by_month: One delivery per month of the events' time.

    Returns:
        The number of deliveries.
    """
    first, last = nights
    world.execute(
        f"""create or replace temp table parcel as
        select source, entity, greatest(night, ?) as night, line,
            case when {by_month}
                then strftime(make_timestamp(at_ms * 1000), '%Y-%m') else '' end as part,
            at_ms + case when r('unordered', row_key) < {unordered}
                then floor((r('place', row_key) - 0.5) * 43200000) else 0 end as place, row_key
        from {table} where night <= ? and at_ms < ?""",
        [first, last, before_ms or 2**62],
    )
    lines = world.execute(
        """select source, entity, night, part, line from parcel
        order by source, entity, night, part, place nulls last, row_key, line"""
    )
    count = 0
    for (source, entity, night, _), rows in groupby(_rows(lines), key=itemgetter(0, 1, 2, 3)):
        _land(settings, source, entity, night, (row[4] for row in rows))
        count += 1
    return count


def _rows(lines: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, str, date, str, str]]:
    while batch := lines.fetchmany(_BATCH):
        yield from batch


def _land(settings: Settings, source: str, entity: str, night: date, lines: Iterator[str]) -> None:
    header = HEADERS.get((source, entity))
    name = f"{entity}.csv" if header else f"{entity}.ndjson"
    if source == "segment":
        name += ".gz"
    parent = settings.landing / source / entity
    parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".demo-", dir=parent))
    try:
        rows = _write_file(temporary / name, header, lines)
        received = datetime.combine(night, time(2), tzinfo=UTC)
        with (temporary / name).open("rb") as written:
            digest = hashlib.file_digest(written, "sha256").hexdigest()
        size = (temporary / name).stat().st_size
        delivery_id = f"{received:%Y-%m-%dT%H%M%SZ}-{digest[:8]}"
        manifest = {
            "delivery_id": delivery_id,
            "source": source,
            "entity": entity,
            "received_at": f"{received:%Y-%m-%dT%H:%M:%SZ}",
            "files": [{"name": name, "sha256": digest, "bytes": size, "rows": rows}],
        }
        (temporary / "manifest.json").write_text(
            json.dumps(manifest, indent=2) + "\n", encoding="utf-8"
        )
        if not (parent / delivery_id).exists():
            temporary.chmod(0o755)
            os.rename(temporary, parent / delivery_id)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_file(path: Path, header: str | None, lines: Iterator[str]) -> int:
    rows = 0
    with path.open("wb") as raw:
        if path.suffix == ".gz":
            stream = gzip.GzipFile(filename="", mode="wb", compresslevel=3, fileobj=raw, mtime=0)
        else:
            stream = raw  # type: ignore[assignment]
        if header:
            stream.write(f"{header}\n".encode())
        while batch := list(islice(lines, _BATCH)):
            rows += len(batch)
            stream.write(("\n".join(batch) + "\n").encode())
        if stream is not raw:  # type: ignore[comparison-overlap]
            stream.close()
        raw.flush()
        os.fsync(raw.fileno())
    return rows
