"""Landing: immutable deliveries in the home folder, as received, each with its manifest.

Nothing here opens what a file says; the guards and the loader do.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from orchestration.errors import EXIT_USAGE, JourneylineError
from orchestration.settings import Settings

_TEXTS = (".ndjson", ".csv", ".json")
_PACKED = ("", ".gz", ".zst")
SUFFIXES = (*(text + packed for text in _TEXTS for packed in _PACKED), ".parquet", ".xlsx")
# Other names for a format, as files outside bear them.
_ALIASES = {".jsonl": ".ndjson", ".parq": ".parquet", ".tsv": ".csv"}
_CHUNK = 1 << 20
_INSTANT = "%Y-%m-%dT%H%M%SZ"


@dataclass(frozen=True)
class Delivery:
    """One delivery as its manifest describes it.

    Args:
        source: Source system.
        entity: Table of the source.
        delivery_id: Instant of arrival and the first characters of the content's hash.
        received_at: Instant of arrival, UTC without zone.
        folder: Where it lies.
        file_name: The delivered file; empty when the manifest is broken.
        sha256: Hash of the file's bytes, as landed.
        byte_count: Size of the file, as landed.
        row_count: Records the deliverer counted; None when it did not.
        problem: Why the manifest cannot be believed; None when it can.
        expected_sha256: Hash that the deliverer sent beside the file; None when it sent none.
        stored_sha256: Hash of the file as it lies there now, where rows of it were erased.
        stored_bytes: Size of the file as it lies there now, where rows of it were erased.
        erased_count: Rows erased since it landed.
        aged_count: Of these, rows that went because of their age.
    """

    source: str
    entity: str
    delivery_id: str
    received_at: datetime
    folder: Path
    file_name: str
    sha256: str
    byte_count: int
    row_count: int | None
    problem: str | None = None
    expected_sha256: str | None = None
    stored_sha256: str | None = None
    stored_bytes: int | None = None
    erased_count: int = 0
    aged_count: int = 0

    @property
    def file(self) -> Path:
        """The delivered file."""
        return self.folder / self.file_name

    @property
    def label(self) -> str:
        """`source/entity/delivery_id`."""
        return f"{self.source}/{self.entity}/{self.delivery_id}"


@dataclass(frozen=True)
class Landed:
    """What became of a file that was to be landed.

    Args:
        delivery_id: The delivery that holds its content.
        is_new: False where the same content had landed before.
    """

    delivery_id: str
    is_new: bool


def land_file(
    settings: Settings, source: str, entity: str, file: Path, received_at: datetime
) -> str:
    """Put a copy of a file into landing; the delivery's id. See `land_once`."""
    return land_once(settings, source, entity, file, received_at).delivery_id


def land_once(
    settings: Settings, source: str, entity: str, file: Path, received_at: datetime
) -> Landed:
    """Put a copy of a file into landing, all of it or nothing.

    A file `<name>.sha256` beside it (as `sha256sum` writes it) says which hash the deliverer
    meant, a file `<name>.rows` how many rows; the loader refuses a delivery that is neither.

    Args:
        settings: The home folder.
        source: Source system.
        entity: Table of the source.
        file: The file to copy; one of `SUFFIXES`.
        received_at: Instant of arrival; without a zone it is UTC.

    Returns:
        The delivery; the earlier one when the same content was landed before.

    Raises:
        JourneylineError: There is no such file, its name says another format, or it is still
            being written.
    """
    suffix = suffix_of(file)
    if not file.is_file() or not suffix:
        raise JourneylineError(
            "There is no such file." if suffix else "The file's format is not known by its name.",
            where=str(file),
            next_step=f"Give a file that ends in {', '.join(SUFFIXES)}.",
            exit_code=EXIT_USAGE,
        )
    parent = settings.landing / source / entity
    parent.mkdir(parents=True, exist_ok=True)
    temporary = parent / f".landing-{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        name = f"{entity}{suffix}"
        before = file.stat()
        digest, size = _copy(file, temporary / name)
        after = file.stat()
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise JourneylineError(
                "The file changed while it was copied, so it was left alone.",
                where=str(file),
                next_step="Land it again when it is written.",
            )
        known = _same_content(settings, source, entity, digest)
        if known is not None:
            return Landed(known, is_new=False)
        instant = received_at.astimezone(UTC) if received_at.tzinfo else received_at
        delivery_id = f"{instant.strftime(_INSTANT)}-{digest[:8]}"
        said = {"name": name, "sha256": digest, "bytes": size, **_sidecars(file)}
        _write_manifest(temporary, delivery_id, source, entity, instant, said)
        os.rename(temporary, parent / delivery_id)
        _sync(parent)
        return Landed(delivery_id, is_new=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def suffix_of(file: Path) -> str:
    """The format that a file's name says, as a suffix of `SUFFIXES`; empty where it says none."""
    for alias, suffix in _ALIASES.items():
        for packed in _PACKED:
            if file.name.endswith(alias + packed) and suffix + packed in SUFFIXES:
                return suffix + packed
    known = [suffix for suffix in SUFFIXES if file.name.endswith(suffix)]
    return max(known, key=len, default="")


def list_deliveries(settings: Settings) -> list[Delivery]:
    """Every delivery in landing, in the order of source, entity, arrival and id."""
    manifests = settings.landing.glob("*/*/*/manifest.json")
    found = [_read(path) for path in manifests if not path.parent.name.startswith(".")]
    return sorted(found, key=lambda d: (d.source, d.entity, d.received_at, d.delivery_id))


def _copy(source: Path, target: Path) -> tuple[str, int]:
    digest = hashlib.sha256()
    size = 0
    with source.open("rb") as reader, target.open("wb") as writer:
        while chunk := reader.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            writer.write(chunk)
        writer.flush()
        os.fsync(writer.fileno())
    return digest.hexdigest(), size


def _same_content(settings: Settings, source: str, entity: str, digest: str) -> str | None:
    candidates = (settings.landing / source / entity).glob(f"*-{digest[:8]}/manifest.json")
    for path in sorted(candidates):
        delivery = _read(path)
        if delivery.sha256 == digest:
            return delivery.delivery_id
    return None


def _sidecars(file: Path) -> dict[str, object]:
    """What the deliverer said of the file beside it."""
    said: dict[str, object] = {"rows": None}
    rows = file.with_name(f"{file.name}.rows")
    if rows.is_file():
        text = rows.read_text(encoding="utf-8").strip()
        if not text.isdigit():
            raise _wrong_sidecar(rows, "the number of rows, and nothing else")
        said["rows"] = int(text)
    digest = file.with_name(f"{file.name}.sha256")
    if digest.is_file():
        found = re.match(r"[0-9a-fA-F]{64}\b", digest.read_text(encoding="utf-8").strip())
        if found is None:
            raise _wrong_sidecar(digest, "the file's sha256 as sha256sum writes it")
        said["expected_sha256"] = found.group().lower()
    return said


def _wrong_sidecar(path: Path, expected: str) -> JourneylineError:
    return JourneylineError(
        "What stands beside the file cannot be understood.",
        where=str(path),
        next_step=f"It should hold {expected}.",
        exit_code=EXIT_USAGE,
    )


def _write_manifest(
    folder: Path,
    delivery_id: str,
    source: str,
    entity: str,
    received_at: datetime,
    said: dict[str, object],
) -> None:
    manifest = {
        "delivery_id": delivery_id,
        "source": source,
        "entity": entity,
        "received_at": received_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "files": [said],
    }
    with (folder / "manifest.json").open("w", encoding="utf-8") as file:
        file.write(json.dumps(manifest, indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())
    _sync(folder)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> Delivery:
    folder = path.parent
    source, entity, delivery_id = folder.parts[-3:]
    name, digest, size, rows, problem, expected = "", "", 0, None, None, None
    stored: tuple[str | None, int | None, int, int] = (None, None, 0, 0)
    received_at = _instant_of(delivery_id)
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if len(manifest["files"]) != 1:
            raise ValueError(f"it names {len(manifest['files'])} files instead of one")
        item = manifest["files"][0]
        name, digest, size = str(item["name"]), str(item["sha256"]), int(item["bytes"])
        rows = None if item.get("rows") is None else int(item["rows"])
        if item.get("stored_sha256") is not None:
            stored = (
                str(item["stored_sha256"]),
                int(item["stored_bytes"]),
                int(item["erased_count"]),
                int(item.get("aged_count", 0)),
            )
        expected = None if item.get("expected_sha256") is None else str(item["expected_sha256"])
        said = datetime.fromisoformat(manifest["received_at"]).astimezone(UTC).replace(tzinfo=None)
        if Path(name).name != name or not name.endswith(SUFFIXES):
            raise ValueError(f"the file name {name!r} is not one of a delivery")
        if (manifest["source"], manifest["entity"], manifest["delivery_id"]) != (
            source,
            entity,
            delivery_id,
        ):
            raise ValueError("it belongs to another delivery")
        if said != received_at:
            raise ValueError("received_at is not the one the delivery's id begins with")
    except (OSError, ValueError, KeyError, TypeError) as error:
        problem = f"the manifest cannot be believed: {error}"
    return Delivery(
        source,
        entity,
        delivery_id,
        received_at,
        folder,
        name,
        digest,
        size,
        rows,
        problem,
        expected,
        *stored,
    )


def _instant_of(delivery_id: str) -> datetime:
    try:
        return datetime.strptime(delivery_id[: delivery_id.rindex("-")], _INSTANT)
    except ValueError:
        return datetime(1970, 1, 1)
