"""Trials: damaged files are landed and loaded as others are; the raw table tells what came of it.

All trials of a format share one home; each has rows of its own, so none hides another.
"""

from __future__ import annotations

import hashlib
import random
import shutil
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import yaml

from benchmarks.corruption.files import COLUMNS, Format, Row, rows_of
from orchestration.ingest.landing import land_file, list_deliveries
from orchestration.ingest.loader import load_deliveries
from orchestration.settings import REPO_ROOT, Settings

SOURCE, ENTITY = "surveys", "pulses"
DAMAGES = ("cut", "flip")
REFUSED, QUARANTINED, SAME = "refused", "quarantined", "same rows"
CHANGED, MISSING = "changed values", "missing rows"
OUTCOMES = (REFUSED, QUARANTINED, SAME, CHANGED, MISSING)
ROWS = 40
# Number, damage, place, and the whole file.
Damaged = tuple[int, str, int, bytes]
_NIGHT = datetime(2025, 3, 1, 2)


@dataclass(frozen=True)
class Trial:
    """A damaged file and what came of it.

    Args:
        number: Which of the trials it is.
        damage: cut or flip.
        place: Byte at which the file was cut, or whose bit was flipped.
        whole: The file before.
        outcome: One of `OUTCOMES`: the worst that happened, `changed values` and `missing rows`
            being what nobody was told of.
        columns: The columns whose values changed, of accepted rows.
        detail: Why it was refused, or the rules that rows broke.
    """

    number: int
    damage: str
    place: int
    whole: bytes = field(repr=False)
    outcome: str
    columns: tuple[str, ...] = ()
    detail: str = ""


def damaged(whole: bytes, damage: str, seed: int) -> tuple[bytes, int]:
    """The bytes cut off somewhere, or with one bit flipped, and the place."""
    chance = random.Random(seed)
    place = chance.randrange(len(whole))
    if damage == "cut":
        return whole[:place], place
    flipped = whole[place] ^ (1 << chance.randrange(8))
    return whole[:place] + bytes([flipped]) + whole[place + 1 :], place


def run_trials(
    folder: Path,
    format_: Format,
    count: int,
    *,
    sidecar: str | None = None,
    is_landed_first: bool = False,
    **properties: object,
) -> list[Trial]:
    """Damage files of a format, load them, and judge each.

    Args:
        folder: Where project and home are made.
        format_: The format.
        count: How many are cut, and as many have a bit flipped.
        sidecar: What the deliverer sent beside the file, of the whole one: `sha256` or `rows`.
        is_landed_first: Whether the damage comes after the landing.
        properties: Custom properties of the contract, beside its format.
    """
    settings = _project(folder, format_.reads, properties)
    # Two files that were cut to the same bytes are one delivery.
    made: dict[str, list[Damaged]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as inbox:
        for number in range(len(DAMAGES) * count):
            damage = DAMAGES[number % len(DAMAGES)]
            whole = format_.write(rows_of(number, ROWS))
            data, place = damaged(whole, damage, number)
            file = Path(inbox) / f"answers{format_.suffix}"
            file.write_bytes(whole if is_landed_first else data)
            _write_sidecar(file, whole, sidecar)
            delivery_id = land_file(
                settings, SOURCE, ENTITY, file, _NIGHT + timedelta(seconds=number)
            )
            made[delivery_id].append((number, damage, place, whole))
    if is_landed_first:
        for delivery in list_deliveries(settings):
            ((number, damage, _, whole),) = made[delivery.delivery_id]
            delivery.file.write_bytes(damaged(whole, damage, number)[0])
    load_deliveries(settings, None)
    return _judged(settings, made)


def _write_sidecar(file: Path, whole: bytes, sidecar: str | None) -> None:
    text = {"sha256": hashlib.sha256(whole).hexdigest(), "rows": str(ROWS)}
    if sidecar is not None:
        file.with_name(f"{file.name}.{sidecar}").write_text(text[sidecar])


def _judged(settings: Settings, made: dict[str, list[Damaged]]) -> list[Trial]:
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:

        def ask(sql: str) -> list[tuple[Any, ...]]:
            return connection.execute(sql).fetchall()

        names = ", ".join(COLUMNS)
        accepted: dict[str, list[Row]] = {delivery_id: [] for delivery_id in made}
        for delivery_id, *row in ask(f"select _delivery_id, {names} from raw.surveys__pulses"):
            accepted[delivery_id].append(tuple(row))
        ledger = {
            delivery_id: (status, reason, quarantined)
            for delivery_id, status, reason, quarantined in ask(
                "select delivery_id, status, reason, quarantined_count from ingest.deliveries"
            )
        }
        rules: dict[str, Counter[str]] = {delivery_id: Counter() for delivery_id in made}
        for delivery_id, rule in ask("select delivery_id, rule from ingest.quarantine_rows"):
            rules[delivery_id][rule] += 1
    trials = []
    each = [(delivery_id, *one) for delivery_id, several in made.items() for one in several]
    for delivery_id, number, damage, place, whole in each:
        status, reason, quarantined = ledger[delivery_id]
        expected = [(*row[:-1], row[-1].replace(tzinfo=None)) for row in rows_of(number, ROWS)]
        outcome, columns = _outcome(status, quarantined, accepted[delivery_id], expected)
        detail = reason or ", ".join(sorted(rules[delivery_id]))
        trials.append(Trial(number, damage, place, whole, outcome, columns, detail))
    return trials


def _outcome(
    status: str, quarantined: int, accepted: list[Any], expected: list[Any]
) -> tuple[str, tuple[str, ...]]:
    """The outcome, and the columns that changed in accepted rows."""
    strange = set(accepted) - set(expected)
    if strange:
        # A row is known by its id, or by its time where the id itself changed.
        known = {key: row for row in expected for key in (row[0], row[-1])}
        changed = set()
        for row in strange:
            was = known.get(row[0]) or known.get(row[-1]) or (None,) * len(COLUMNS)
            changed |= {n for n, new, old in zip(COLUMNS, row, was, strict=True) if new != old}
        return CHANGED, tuple(sorted(changed))
    if status == "refused":
        return REFUSED, ()
    if quarantined:
        return QUARANTINED, ()
    return (SAME if sorted(accepted) == sorted(expected) else MISSING), ()


def _project(folder: Path, format_: str, properties: dict[str, object]) -> Settings:
    """A home and a project with one contract, whose bound lets every broken row be quarantined."""
    root = folder / "project"
    settings = Settings(home=folder / "home", repo_root=root)
    shutil.copytree(REPO_ROOT / "orchestration" / "config", settings.config)
    (settings.contracts / "sources").mkdir(parents=True)
    name = f"{SOURCE}.{ENTITY}.odcs.yaml"
    contract: dict[str, Any] = yaml.safe_load(
        (REPO_ROOT / "data_contracts" / "sources" / name).read_text(encoding="utf-8")
    )
    said = {item["property"]: item["value"] for item in contract["customProperties"]}
    said |= {"format": format_, "rateBound": 1.0, **properties}
    contract["customProperties"] = [{"property": n, "value": v} for n, v in said.items()]
    path = settings.contracts / "sources" / name
    path.write_text(yaml.safe_dump(contract, sort_keys=False), encoding="utf-8")
    return settings
